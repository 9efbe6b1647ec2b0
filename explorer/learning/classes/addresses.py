"""Where a room finds this server."""

import ipaddress
import socket

NOWHERE = "192.0.2.1"  # of RFC 5737: never anybody's


def own_address() -> str | None:
    """This machine's address in its network, as others there reach it; None where it has none.

    Nothing is sent: a datagram socket only asks the system which way it would send.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((NOWHERE, 9))
            found = asked.getsockname()[0]
        except OSError:
            return None
    return None if ipaddress.ip_address(found).is_loopback else found


def for_the_board(seen: str, port: int) -> str:
    """The address to write on a board.

    Args:
        seen: the address by which the teacher's own browser came, such as ``http://localhost:8501/class``.
        port: of the server.
    """
    base = seen.partition("?")[0].rstrip("/")
    scheme, _, rest = base.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    if host in ("localhost", "127.0.0.1", "[::1]") and (own := own_address()):
        return f"{scheme}://{own}:{port}"
    return f"{scheme}://{rest.partition('/')[0]}"
