"""Addresses of the server as Celery has them; and over TLS, who cannot prove its name is told nothing, by anybody."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kombu.exceptions import OperationalError

from service.api.main import create_app
from service.config import Settings
from service.jobs.dispatch import Dispatcher
from service.jobstore import broker_url, connect
from tests.support.api import serving
from worker.app import create_app as create_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "squeamish-ossifrage"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://:p@host:6379/2", "redis://:p@host:6379/2"),
        ("unix://:p@/a/b%20c.sock?db=0", "redis+socket://:p@/a/b%20c.sock?virtual_host=0"),
        ("unix:///a.sock?db=3", "redis+socket:///a.sock?virtual_host=3"),
        ("rediss://h/0", "rediss://h/0?ssl_cert_reqs=required&ssl_check_hostname=true"),
        (
            "rediss://h/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none",
            "rediss://h/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none&ssl_cert_reqs=required&ssl_check_hostname=true",
        ),
    ],
)
def test_the_brokers_address(url: str, broker: str) -> None:
    assert broker_url(url) == broker


@pytest.mark.parametrize(
    "query",
    [
        "ssl_cert_reqs=none",
        "ssl_cert_reqs=none&ssl_cert_reqs=required",
        "ssl_check_hostname=false&ssl_check_hostname=true",
        "ssl_cert_reqs=CERT_OPTIONAL",
        "ssl_ca_certs=/a&ssl_check_hostname=false",
    ],
)
def test_nobody_asks_not_to_verify(query: str) -> None:
    with pytest.raises(ValueError, match="always verified"):
        Settings(redis_url=f"rediss://host/0?{query}")
    assert Settings(redis_url="rediss://host/0?ssl_cert_reqs=required&ssl_ca_certs=/a").redis_url


class Impostor:
    """A TLS server that keeps what it is told after a handshake, and never answers."""

    def __init__(self, place: Path, name: str) -> None:
        self.certificate, key = place / "certificate.pem", place / "key.pem"
        _write(self.certificate, key, name)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.told, self.connections = b"", 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed
                return
            self.connections += 1
            connection.settimeout(5)
            with contextlib.suppress(OSError), self._context.wrap_socket(connection, server_side=True) as talk:
                self.told += talk.recv(10_000)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


def _write(certificate: Path, key: Path, name: str) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    no = serialization.NoEncryption()
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no))


@pytest.fixture
def impostor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Impostor]:
    server = Impostor(tmp_path, getattr(request, "param", "localhost"))
    yield server
    server.close()


def by_the_job_store(url: str) -> None:
    with connect(url) as client, contextlib.suppress(redis.RedisError):
        client.ping()


def by_hints(url: str) -> None:
    with connect(url) as client:
        assert Dispatcher(url, client).send() is False


def by_the_worker(url: str) -> None:
    celery = create_worker(Settings(redis_url=url))
    with celery.connection_for_write() as connection, contextlib.suppress(OperationalError, redis.RedisError):
        connection.channel()


WAYS = pytest.mark.parametrize("tell", [by_the_job_store, by_hints, by_the_worker])


@WAYS
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("impostor", ["elsewhere.example", "localhost"], indirect=True)
def test_who_cannot_prove_its_name_is_told_nothing(
    impostor: Impostor, tell: Callable[[str], None], trusted: bool, request: pytest.FixtureRequest
) -> None:
    """Neither with a certificate that nobody vouches for, nor with one for another name; only with neither fault."""
    url = f"rediss://:{SECRET}@localhost:{impostor.port}/0"
    if trusted:
        url += f"?ssl_ca_certs={impostor.certificate}"
    tell(url)
    assert impostor.connections
    good = trusted and "elsewhere" not in request.node.name
    assert (SECRET.encode() in impostor.told) is good
    if not good:
        assert impostor.told == b""


def test_a_service_whose_store_cannot_prove_its_name_is_not_ready(impostor: Impostor, tmp_path: Path) -> None:
    settings = Settings(redis_url=f"rediss://:{SECRET}@localhost:{impostor.port}/0", data_dir=tmp_path, reconcile_s=60)
    with serving(create_app(settings)) as url:
        answer = httpx.get(f"{url}/readyz", timeout=40)
    assert answer.status_code == 503
    assert impostor.connections
    assert impostor.told == b""
