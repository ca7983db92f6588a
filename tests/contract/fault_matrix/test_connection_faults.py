"""Rows 1 to 10: what goes wrong before there is an answer to read."""

import datetime
import ipaddress
import socket
import ssl
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from flyllm import DeadlineExceededError, RequestError
from flyllm.providers.transport import CONNECT_TIMEOUT
from flyllm.testing import Fault
from tests.contract.fault_matrix.invariants import Result
from tests.contract.fault_matrix.raw import BlackholedPort, RawServer, completion, reply
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import STILL, World

UNKNOWN = "provider.test"


def is_unsent(result: Result) -> bool:
    """Whether the error says that nothing was sent, or that the instance is left alone beyond the deadline."""
    error = result.error
    return isinstance(error, DeadlineExceededError) or (isinstance(error, RequestError) and not error.sent)


@row(1)
def test_a_refused_connection_costs_no_retry_and_no_wire(way: str) -> None:
    """With two of three down and one retry allowed, every request is answered by the third, one wire each."""
    with World(3, max_retries=1) as world:
        world.servers[0].down()
        world.servers[1].down()
        world.send(way, 12)
        assert not world.failures
        assert world.wire == 12


@row(1)
def test_an_instance_that_refuses_is_soon_left_alone(way: str) -> None:
    """After five refused connections in a row nobody tries the instance until a probe is due."""
    with World(3, speed=STILL) as world:
        world.servers[0].down()
        world.send(way, 40)
        assert world.tries(0) <= 6
        assert not world.failures


@row(1)
def test_a_refusing_instance_is_probed_and_comes_back(way: str, count: int) -> None:
    """Once the port is open again a probe finds out, and requests go there as before."""
    with World(count) as world:
        server = world.servers[0].down(seconds=0.3)
        world.send(way, 30, workers=3)
        world.until(way, lambda: server.count >= 3)
        assert not world.failures


@row(1)
def test_a_refusing_instance_alone_is_a_typed_error(way: str) -> None:
    """Where nobody else is, the error says that nothing was sent."""
    with World(1, max_retries=0, speed=400.0) as world:
        world.servers[0].down()
        (result,) = world.send(way)
        assert isinstance(result.error, RequestError)
        assert result.error.sent is False


@row(2)
def test_a_blackholed_connection_costs_the_connect_timeout_once(way: str, count: int) -> None:
    """Connecting has a limit of its own, 5 s at most, after which the request goes elsewhere without a retry."""
    assert CONNECT_TIMEOUT == 5.0
    with (
        BlackholedPort() as port,
        World(*[port.url, "openai", "groq"][:count], speed=1.0, max_retries=1, default_attempt_timeout=1.0) as world,
    ):
        results = world.send(way, 3 if count == 3 else 1, timeout=60.0 if count == 3 else 1.5)
        assert all(result.seconds < 20.0 for result in results)  # a busy machine; TCP tries for minutes
        assert max(result.seconds for result in results) >= 1.0
        if count == 3:
            assert not world.failures
            assert world.wire == 3
        else:
            assert all(is_unsent(result) for result in results)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The names this machine can resolve beyond its own: none, until a test adds one."""
    known: dict[str, str] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == UNKNOWN and name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(known.get(name, host), *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@row(3)
def test_an_unknown_host_is_like_a_refused_connection(names: dict[str, str], way: str, count: int) -> None:
    """A name that does not resolve sends nothing; alone, the error says so."""
    with World(*[f"http://{UNKNOWN}", "openai", "groq"][:count], max_retries=1) as world:
        world.send(way, 6, timeout=5.0 if count == 1 else None)
        assert world.wire == (6 if count == 3 else 0)
        assert all(is_unsent(result) for result in world.failures)
        assert bool(world.failures) == (count == 1)


@row(3)
def test_a_host_that_resolves_again_is_used_without_a_restart(names: dict[str, str], way: str) -> None:
    """DNS failures are not remembered beyond the next probe."""
    with RawServer(_hello) as server, World(3, "http://nowhere.test", echoes=False) as world:
        world.manager.disable(3)
        number = world.manager.add_instance("openai", "m", "k", endpoint=f"http://{UNKNOWN}:{server.port}")
        world.send(way, 24, workers=4)
        assert server.count == 0
        names[UNKNOWN] = "127.0.0.1"
        world.until("generate", lambda: server.count > 0)
        assert world.tries(number) > 0
        world.servers.append(server)


def _hello(server: RawServer, connection: socket.socket) -> None:
    while server.read(connection) is not None:
        server.send(connection, reply(completion("Hello.")))


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody vouches for."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    _write_certificate(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _write_certificate(file: Path) -> None:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    signed = built.not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, critical=False)
    pem, shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(
        key.private_bytes(pem, shape, serialization.NoEncryption())
        + signed.sign(key, hashes.SHA256()).public_bytes(pem)
    )


@row(4)
def test_a_bad_certificate_sends_nothing_and_names_the_host(self_signed: ssl.SSLContext, way: str, count: int) -> None:
    """The key does not travel to whom nobody vouches for; others take over; alone, the error names the host."""
    with RawServer(_hello, tls=self_signed) as server, World(server, *["openai", "groq"][: count - 1]) as world:
        results = world.send(way, 6 if count > 1 else 1)
        assert server.count == 0
        assert bool(world.failures) == (count == 1)
        for result in results if count == 1 else []:
            assert isinstance(result.error, RequestError)
            assert not result.error.sent
            assert "certificate" in str(result.error)
            assert "127.0.0.1" in str(result.error)


@row(4)
def test_a_handshake_cut_short_sends_nothing(way: str, count: int) -> None:
    """A server that hangs up within the handshake is like one that refuses."""
    with RawServer(lambda _, connection: None) as server:
        url = server.url.replace("http:", "https:")
        with World(*[url, "openai", "groq"][:count], max_retries=1) as world:
            world.send(way, 6, timeout=10.0 if count == 1 else None)
            assert all(is_unsent(result) for result in world.failures)
            assert bool(world.failures) == (count == 1)


@row(5)
def test_a_reset_before_the_request_is_read_is_retried(way: str, count: int) -> None:
    """The request was perhaps sent, never read: one more attempt, and the answer."""
    with World(count) as world:
        world.servers[0].enqueue(Fault.RESET_ON_ACCEPT)
        world.send(way, 4)
        assert not world.failures
        assert world.wire == 4


@row(6)
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CLOSE], ids=["reset", "closed"])
def test_a_reused_connection_that_breaks_is_replaced_once_for_free(way: str, fault: Fault) -> None:
    """A kept connection may be closed by the server just as it is used: one resend on a fresh one, no retry spent."""
    with World(1, max_retries=1, resends=1) as world:
        world.send(way)
        world.servers[0].enqueue(fault).then(500)
        world.send(way)
        assert not world.failures
        assert world.wire == 4


@row(6)
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CLOSE], ids=["reset", "closed"])
def test_a_reused_connection_that_breaks_loses_no_request(way: str, count: int, fault: Fault) -> None:
    """Two wires at most, and the answer."""
    with World(count, resends=1) as world:
        world.send(way, 3)
        world.servers[0].enqueue(fault)
        world.send(way, 3)
        assert not world.failures
        assert world.wire == 7


@row(6)
def test_a_connection_closed_while_idle_is_not_used(way: str, count: int) -> None:
    """A load balancer that restarts between requests costs nothing, not even where no retries are allowed."""
    with World(count, max_retries=0) as world:
        world.send(way, 6)
        for server in world.servers:
            server.disconnect()
        world.send(way, 6)
        assert not world.failures
        assert world.wire == 12


@row(7)
@pytest.mark.parametrize("fault", [Fault.CUT_IN_HEADERS, Fault.CUT_AFTER_HEADERS], ids=lambda fault: fault.name)
def test_a_reply_cut_before_its_body_is_retried(way: str, count: int, fault: Fault) -> None:
    """One more attempt, and the answer."""
    with World(count) as world:
        world.servers[0].enqueue(fault)
        world.send(way, 4)
        assert not world.failures
        assert world.wire == 5


@row(8)
def test_a_silent_instance_costs_its_attempt_timeout_and_is_left_alone(way: str) -> None:
    """Requests that met it go on elsewhere after the attempt's timeout; soon nobody meets it; the others keep pace."""
    with World(3, speed=STILL, default_attempt_timeout=0.8) as world:
        world.servers[0].always(Fault.SILENCE)
        results = world.send(way, 40, workers=4)
        assert not world.failures
        assert all(result.seconds < 20.0 for result in results)  # a busy machine; without a timeout it were for ever
        assert world.servers[0].count <= 5 + 4
        assert median(r.seconds for r in results if len(r.attempts) == 1) < 0.8


@row(8)
def test_a_silent_instance_alone_ends_at_its_timeouts(way: str) -> None:
    """Two attempts cost two timeouts and a backoff, not more."""
    with World(1, speed=1.0, default_attempt_timeout=0.25, max_retries=1) as world:
        world.servers[0].always(Fault.SILENCE)
        (result,) = world.send(way)
        assert isinstance(result.error, RequestError)
        assert 0.5 <= result.seconds < 20.0
        assert world.wire == 2


@row(9, 10)
@pytest.mark.parametrize("fault", [Fault.SLOW_HEADERS, Fault.SLOW_BODY], ids=["headers", "body"])
def test_a_trickle_ends_at_the_attempt_timeout(way: str, count: int, fault: Fault) -> None:
    """A byte now and then keeps every socket timeout from passing; the attempt ends all the same.

    A stream whose content has begun ends at the request's deadline.
    """
    with World(count, speed=1.0, default_attempt_timeout=0.7, max_retries=count // 3) as world:
        world.servers[0].always(fault, pace=0.2)  # a minute for the shortest answer
        results = world.send(way, 3, workers=3, timeout=2.0)
        assert all(result.seconds < 20.0 for result in results)
        if count == 1:
            assert len(world.failures) == 3
        elif way != "stream" or fault is Fault.SLOW_HEADERS:
            assert not world.failures
