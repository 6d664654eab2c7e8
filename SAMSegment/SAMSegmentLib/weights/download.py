"""Fetches a file from the web: resumes, tries several addresses, believes only its SHA-256.

The only part of SAMSegment that opens a connection to another computer. Nothing about the user or
the images is sent: a request holds the file's address, the part that is wanted and the name and
version of this program.

Settings of the user's network are followed as the package requests does it: HTTP_PROXY,
HTTPS_PROXY, NO_PROXY, and REQUESTS_CA_BUNDLE for the certificates of a proxy that looks into
encrypted connections. What the operating system trusts is trusted as well. SAMSEGMENT_MIRROR names
a place to try first, such as one inside a hospital: https://server/folder, below which the files
lie by their names. It may be http: the SHA-256 decides over what comes. Passwords are sent to whom
they were given for in these settings, a proxy or the mirror, and to nobody else: none of ~/.netrc.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from .. import __version__
from ..core.errors import InstallError, MissingPackageError
from .fetching import (
    RETRY_POLICY,
    WHOLE_SHARE,
    Fetching,
    RetryableError,
    RetryPolicy,
    ServerError,
)
from .files import BLOCK_BYTES, PartialFile
from .progress import ProgressReporter, Report, megabytes

if TYPE_CHECKING:
    import requests

#: Environment variable with the address of a mirror of the user's own.
MIRROR = "SAMSEGMENT_MIRROR"
LONGEST_CHAIN = 10
# urllib3 before 2.2 only hands out full blocks: small ones lose little when a connection breaks.
SMALL_BLOCK_BYTES = 1 << 14
# Slicer's launcher points OpenSSL at Slicer's own certificates (SSL_CERT_FILE, in Slicer's
# CMake/SlicerBlockCTKAppLauncherSettings.cmake), so the system's have to be found where they
# usually are. Source: Go's crypto/x509, root_linux.go and root_bsd.go.
SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def download(
    addresses: Sequence[str],
    partial: Path,
    size: int,
    sha256: str,
    report: Report,
    policy: RetryPolicy = RETRY_POLICY,
) -> None:
    """Fetches a file; afterwards `partial` is whole, on the disk, and has that SHA-256.

    What `partial` holds before is gone on with. Not for Slicer's main thread.

    Args:
        addresses: of the file, http or https, tried in turn.
        size: bytes of the file, roughly: other files are refused, and endless ones stopped.
        report: is called some times a second; may raise Cancelled, which ends the download.

    Raises:
        InstallError: if no address gave the file, or it could not be written. What was fetched is
            kept for the next time, unless its bytes are wrong.
        MissingPackageError: if the package requests is not installed.
        Cancelled: what was fetched is kept as well.
    """
    file, reporter = PartialFile(partial), ProgressReporter(report)
    if file.length >= WHOLE_SHARE * size and file.sha256(reporter) == sha256:
        return
    failures = []
    with _session() as session, _no_empty_file(file):
        web = _Web(session, policy)
        for address in _with_mirror(addresses):
            host = host_of(address)
            try:
                Fetching(web.ask, address, host, file, size, sha256, reporter, policy).run()
                return
            except ServerError as failure:
                end = "" if str(failure).endswith("?") else "."
                failures.append(f"{host} {failure}{end}")
    raise InstallError(_words(addresses, failures, file.length))


def host_of(address: str) -> str:
    """The computer that an address names, without any password in it."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an unreadable address"
    return f"{host}:{port}" if port else host or "an address without a computer"


def hosts_of(addresses: Sequence[str]) -> list[str]:
    """The computers that a download asks, in their order; none without addresses."""
    asked = [os.environ.get(MIRROR, "").strip(), *addresses] if addresses else []
    return list(dict.fromkeys(host_of(address) for address in asked if address))


def _with_mirror(addresses: Sequence[str]) -> list[str]:
    base = os.environ.get(MIRROR, "").strip()
    if not base or not addresses:
        return list(addresses)
    return [f"{base.rstrip('/')}/{_file_name(addresses[0])}", *addresses]


def _file_name(address: str) -> str:
    """As it stands in the address."""
    return re.split(r"[?#]", address)[0].rsplit("/", 1)[-1]


def _is_web_address(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def _next_address(address: str, target: str) -> str:
    try:
        following = urljoin(address, target)
        host = host_of(following)
    except ValueError as error:
        raise ServerError("sends on to an address that cannot be read") from error
    if not _is_web_address(following):
        raise ServerError("sends on to an address that is neither http nor https")
    if address.lower().startswith("https://") and not following.lower().startswith("https://"):
        raise ServerError(f"sends on to an unprotected address (http at {host})")
    return following


@contextmanager
def _no_empty_file(file: PartialFile) -> Iterator[None]:
    """Leaves nothing behind that holds nothing."""
    try:
        yield
    finally:
        with suppress(InstallError):
            if file.length == 0:
                file.remove()


def _words(addresses: Sequence[str], failures: Sequence[str], kept: int) -> str:
    name = unquote(_file_name(addresses[0])) if addresses else "The file"
    reasons = " ".join(failures) or "No place is known to get it from."
    later = f": the {megabytes(kept)} that were fetched are kept" if kept else ""
    return (
        f"{name} could not be downloaded. {reasons} Try again later{later}; if this network needs "
        "a proxy, set the environment variable HTTPS_PROXY; or get the file on another computer "
        "and install it from there."
    )


# ---- requests ------------------------------------------------------------------------------------


class _Web:
    """Asks servers for a file; see `Fetching`."""

    def __init__(self, session: requests.Session, policy: RetryPolicy) -> None:
        self._session = session
        self._timeouts = (policy.connect_s, policy.read_s)

    @contextmanager
    def ask(self, first: str, offset: int) -> Iterator[_Reply]:
        """The answer behind all redirections from the address `first`."""
        address = first
        if not _is_web_address(address):
            raise ServerError("has an address that is neither http nor https")
        for _ in range(LONGEST_CHAIN):
            response = self._get(address, first, offset)
            try:
                with _network_errors(first, address):
                    target = self._session.target_of(response)
                if target is None:
                    yield _Reply(response, first)
                    return
            finally:
                response.close()
            address = _next_address(address, target)
        raise ServerError("sends on from address to address without an end")

    def _get(self, address: str, first: str, offset: int) -> requests.Response:
        with _network_errors(first, address):
            return self._session.get(
                address,
                auth=_credentials(first, address),
                headers={"Range": f"bytes={offset}-"} if offset else {},
                timeout=self._timeouts,
                stream=True,
                allow_redirects=False,
            )


def _credentials(first: str, address: str) -> Callable:
    """What signs a request: the password in the first address, for its own server alone.

    Without this, requests would look for one in ~/.netrc, and in addresses that are sent on to.
    """
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url

    asked, other = urlsplit(first), urlsplit(address)
    name, password = get_auth_from_url(first)
    is_same = (asked.scheme, asked.hostname, asked.port) == (
        other.scheme,
        other.hostname,
        other.port,
    )
    if is_same and (name or password):
        return HTTPBasicAuth(name, password)
    return lambda request: request


class _Reply:
    """See `Fetching`."""

    def __init__(self, response: requests.Response, first: str) -> None:
        self.status, self.headers = response.status_code, response.headers
        self._response, self._first = response, first

    def read(self) -> bytes:
        # Read as it comes: when the connection breaks, nothing that arrived is lost.
        read1 = getattr(self._response.raw, "read1", None)
        with _network_errors(self._first, self._response.url):
            if read1 is not None:
                return read1(BLOCK_BYTES, decode_content=False)
            return self._response.raw.read(SMALL_BLOCK_BYTES, decode_content=False)


def _session() -> requests.Session:
    # Imported when something is to be fetched: Slicer's start must not pay for it.
    try:
        import requests
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise MissingPackageError(
            "Downloading needs the Python package requests: install it (pip install requests)."
        ) from error
    from http.cookiejar import DefaultCookiePolicy

    trust = _trust()

    class TrustingAdapter(HTTPAdapter):
        """Trusts what the system trusts, besides the certificates that requests brings."""

        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, ssl_context=trust, **kwargs)

        def proxy_manager_for(self, proxy, **kwargs):
            if proxy.lower().startswith("https"):
                kwargs["proxy_ssl_context"] = trust
            return super().proxy_manager_for(proxy, ssl_context=trust, **kwargs)

    class NoRedirectSession(requests.Session):
        """Leaves redirections to us: requests would read the whole body of each into memory."""

        def get_redirect_target(self, resp):
            return None

        def target_of(self, response):
            return super().get_redirect_target(response)

    session = NoRedirectSession()
    session.mount("https://", TrustingAdapter())
    session.mount("http://", TrustingAdapter())
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = f"SAMSegment/{__version__}"
    # A coded body could neither be resumed nor checked while it comes.
    session.headers["Accept-Encoding"] = "identity"
    return session


def _trust() -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
    except (ssl.SSLError, OSError):
        # A damaged certificate in the system's store; those of requests are still added.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in filter(os.path.exists, SYSTEM_CERTIFICATES):
        with suppress(ssl.SSLError, OSError):
            context.load_verify_locations(path)
            break
    return context


@contextmanager
def _network_errors(first: str, address: str) -> Iterator[None]:
    """Sorts what can go wrong in a network by whether it is worth trying again.

    Raises:
        ServerError, RetryableError: in this module's words: those of requests may hold a password.
    """
    from http.client import HTTPException

    from requests import exceptions
    from urllib3.exceptions import HTTPError

    # What stands behind an address often is another computer.
    where = "" if host_of(address) == host_of(first) else f" (at {host_of(address)})"
    try:
        yield
    except (exceptions.RequestException, HTTPError, HTTPException, ValueError, OSError) as error:
        raise _sorted(error, where) from error


def _sorted(error: Exception, where: str) -> ServerError | RetryableError:
    from requests import exceptions
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    chain = list(_chain(error))

    def holds(*kinds: type) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if holds(ssl.SSLCertVerificationError):
        return ServerError(
            f"shows a certificate that is not trusted{where}: if your network looks into encrypted "
            "connections, let REQUESTS_CA_BUNDLE name a file with its certificate"
        )
    if "TLS CA certificate bundle" in str(error):
        return ServerError("cannot be asked: there is no file that REQUESTS_CA_BUNDLE names")
    if holds(exceptions.ProxyError):
        return RetryableError("cannot be reached: the proxy does not answer, or refuses")
    if holds(exceptions.Timeout, ReadTimeoutError, TimeoutError):
        return RetryableError(f"does not answer{where}: no byte came for too long")
    if holds(socket.gaierror):
        return RetryableError(f"cannot be found{where}: is this computer online?")
    if holds(ConnectionRefusedError):
        return RetryableError(f"refuses the connection{where}")
    if holds(ssl.SSLError):
        return RetryableError(f"fails to make a protected connection{where}")
    if isinstance(error, ValueError) and not isinstance(error, HTTPError):
        return ServerError(f"cannot be asked: its address or the proxy settings are wrong{where}")
    return RetryableError(f"broke the connection{where}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from: requests and urllib3 wrap it in several ways."""
    seen: set[int] = set()
    rest: list[object] = [error]
    while rest:
        link = rest.pop()
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            rest += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
