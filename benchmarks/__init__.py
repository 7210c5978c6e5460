"""What forwarding costs, beside what it cannot cost less than: `make bench`.

    __main__      the command line
    case          what a case is, and how much of it is done
    runner        runs every case in a process of its own, interleaved; medians and spread
    worker        that process
    machine       where it ran
    targets       what the figures are to come to
    table, plot   what is printed, and drawn

    stages        one packet's way, stage by stage
    fanout        a media plane alone: one packet to many consumers; two threads
    process       the whole relay under real load, from another process
    latency       time inside the relay, at 10,000 packets a second
    churn         the same load while connections come and go
    growth        how cost grows with consumers and with rooms
    peers         what else installs from PyPI and relays

    load/         voices and listeners with real ICE and DTLS-SRTP
    servers/      the process under load
    native/       the parts in C: floors, the load's steady state, stages of the native plane

Floors are measured in the same run as the figure beside them, on packets of the same size, to the same
sockets. (a) is `sendmmsg` of ready packets and `srtp_protect` in a C loop; (b) is a C program that calls
`sendmmsg` for the same bursts to the same listeners, and does nothing else.
"""
