"""Voices and listeners with real ICE and DTLS-SRTP, on loopback, from a process of their own.

stun        the few STUN messages that a browser's end needs
peer        one browser's end of one connection: set-up, consent, reports
generator   the steady state, in C: voices that speak, listeners that count
session     a server process, and peers on it
"""
