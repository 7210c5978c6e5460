"""ICE restarts (RFC 8445 §9) of a participant's connections: what the messages about them mean. No I/O.

    restart_ice          a client asks for one; its reply is the offer
    ice_restart          the offer; sent unasked as well, when the other end has stopped answering
    ice_restart_answer   the client's answer; its reply waits for the new path
    ice_restarted        media takes it

Media goes on by the old path meanwhile, and whatever goes wrong leaves things as they were. Only one offer
is out at a time, for a description does not say which one it answers: a client that asks while the relay's
own is on its way gets that one once more. An answer may come later than the time for its offer; the version
that clients repeat tells it from the answer to the next one.
"""

from __future__ import annotations

import logging
from functools import partial

from relay import InvalidStateError, NetworkChange, ParameterError
from signaling.errors import ErrorCode, SignalingError
from signaling.events import NetworkChanged, Observers
from signaling.messages import (
    Error,
    IceRestart,
    IceRestartAnswer,
    IceRestarted,
    RestartIce,
    ServerMessage,
    answering,
)
from signaling.negotiation import offer_to_receive, offer_to_send, read_answer
from signaling.participant import Participant, Publication, Subscription

logger = logging.getLogger(__name__)

AnyConnection = Publication | Subscription


def watch(connection: AnyConnection, room: str, observers: Observers) -> None:
    """Take care of a new connection: from now on its owner and the observers are told of its moves."""
    media = connection.media
    media.add_listener("network_changed", partial(_moved, connection, room, observers))
    media.add_listener("doubtful", partial(_offer, connection))
    media.add_listener("restart_failed", partial(give_up, connection))


def begin(participant: Participant, message: RestartIce) -> IceRestart:
    """A client wants one: the offer. Raises SignalingError."""
    connection = _own_connection(participant, message)
    try:
        return _restart(connection)
    except InvalidStateError as error:
        raise SignalingError(
            ErrorCode.WRONG_STATE, "Only a connection whose media has come can be restarted."
        ) from error


def answer(participant: Participant, message: IceRestartAnswer) -> None:
    """A client's answer; the reply waits for the new path. Raises SignalingError."""
    connection = _own_connection(participant, message)
    version = message.offer_version
    if isinstance(version, int) and version != connection.session.version:
        raise SignalingError(
            ErrorCode.WRONG_STATE, "Another offer of an ICE restart came after that."
        )
    remote = read_answer(message.answer)
    try:
        connection.media.reconnect(remote)
    except InvalidStateError as error:
        raise SignalingError(
            ErrorCode.WRONG_STATE, "No offer of an ICE restart waits for an answer."
        ) from error
    except ParameterError as error:
        raise SignalingError(ErrorCode.BAD_SDP, f"The answer cannot be used: {error}.") from error
    connection.restarting = message


def give_up(connection: AnyConnection) -> None:
    """Tell whoever waits for a restart that it comes to nothing."""
    _settle(
        connection,
        Error(
            code=ErrorCode.NEGOTIATION_FAILED,
            message="The ICE restart found no media path; the connection is as it was before.",
        ),
    )


def _restart(connection: AnyConnection) -> IceRestart:
    local = connection.media.restart_ice()
    give_up(connection)  # the one before, if there was one
    if local != connection.offered:
        connection.offered = local
        connection.session = connection.session.next()
    session = connection.session
    if isinstance(connection, Publication):
        return IceRestart(
            publisher_id=connection.id,
            offer=offer_to_receive(local, session),
            offer_version=session.version,
        )
    publication = connection.publication
    offer = offer_to_send(
        local, connection.media.source, publication.owner.id, publication.media.track_id, session
    )
    return IceRestart(consumer_id=connection.id, offer=offer, offer_version=session.version)


def _offer(connection: AnyConnection) -> None:
    """The other end has stopped answering: perhaps it has another network by now."""
    try:
        connection.owner.send(_restart(connection))
    except InvalidStateError:
        logger.debug("connection %s ended while it was in doubt", connection.id)


def _moved(connection: AnyConnection, room: str, observers: Observers, how: NetworkChange) -> None:
    observers.tell(
        NetworkChanged(room, connection.owner.id, connection.id, how.value, at=observers.now())
    )
    if how is NetworkChange.RESTART:
        named = _name(connection)
        _settle(connection, IceRestarted(**named))


def _name(connection: AnyConnection) -> dict[str, str]:
    field = "publisher_id" if isinstance(connection, Publication) else "consumer_id"
    return {field: connection.id}


def _settle(connection: AnyConnection, reply: ServerMessage) -> None:
    request, connection.restarting = connection.restarting, None
    if request is not None:
        connection.owner.send(answering(reply, request.id))


def _own_connection(
    participant: Participant, message: RestartIce | IceRestartAnswer
) -> AnyConnection:
    publisher_id, consumer_id = message.publisher_id, message.consumer_id
    found: AnyConnection | None
    if isinstance(consumer_id, str):
        found = participant.subscriptions.get(consumer_id)
    else:
        own = participant.publication
        found = own if own is not None and own.id == publisher_id else None
    if found is None:
        raise SignalingError(ErrorCode.NOT_FOUND, "You have no such publisher or consumer.")
    return found
