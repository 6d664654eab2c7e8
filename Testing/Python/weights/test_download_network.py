"""Redirections, mirrors, proxies, certificates; and what a request tells about its user."""

import base64
import shutil
import ssl
import subprocess
import sys

import pytest

from SAMSegmentLib import __version__
from SAMSegmentLib.core.errors import InstallError
from SAMSegmentLib.weights import download as download_module
from TestSupport.downloading import CONTENT, Fetch, plain_network
from TestSupport.loopback import Proxy
from TestSupport.weights_server import (
    PATH,
    WeightsServer,
    cut_after,
    endless,
    endless_chunks,
    redirect,
    status,
)


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    return Fetch(tmp_path)


@pytest.fixture(params=["in the user's folder", "named by NETRC"])
def kept_passwords(request, tmp_path, monkeypatch):
    """The user's passwords for all servers, where requests and curl look for them."""
    home = tmp_path / "home"
    home.mkdir()
    name = ".netrc" if request.param == "in the user's folder" else "passwords"
    (home / name).write_text(
        "machine 127.0.0.1 login ann password secret\ndefault login ann password secret\n"
    )
    for folder in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(folder, str(home))
    if name == "passwords":
        monkeypatch.setenv("NETRC", str(home / name))


class TestRedirections:
    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    def test_they_are_followed_to_another_server(self, fetch, code):
        with (
            WeightsServer(CONTENT) as store,
            WeightsServer(CONTENT, [redirect(store.url, code)]) as server,
        ):
            fetch.run(server.url)
        assert store.offsets == [None]
        assert len(server.requests) == 1

    @pytest.mark.parametrize("target", ["other.pth", "/models/other.pth", "./../models/other.pth"])
    def test_they_may_be_relative(self, fetch, target):
        with WeightsServer(CONTENT, [redirect(target)]) as server:
            fetch.run(server.url)
        assert [request.path for request in server.requests] == [PATH, "/models/other.pth"]

    def test_the_part_is_asked_for_behind_them_and_each_try_begins_at_the_place(self, fetch):
        with WeightsServer(CONTENT, [cut_after(5000)]) as store:
            # Addresses of stores often hold for minutes only.
            script = [redirect(f"{store.url}?first"), redirect(f"{store.url}?second")]
            with WeightsServer(CONTENT, script) as server:
                fetch.run(server.url)
        assert store.offsets == [None, 5000]
        assert [request.path for request in store.requests] == [f"{PATH}?first", f"{PATH}?second"]

    def test_a_chain_is_followed(self, fetch):
        with WeightsServer(CONTENT, [redirect(f"/{n}") for n in range(9)]) as server:
            fetch.run(server.url)
        assert len(server.requests) == 10

    def test_a_circle_is_left(self, fetch):
        with (
            WeightsServer(CONTENT, otherwise=redirect(PATH)) as server,
            pytest.raises(InstallError, match="from address to address without an end"),
        ):
            fetch.run(server.url)
        assert len(server.requests) == 10

    @pytest.mark.parametrize("body", [endless, endless_chunks])
    def test_their_own_text_is_not_read(self, fetch, body):
        def answer(exchange):
            head = exchange.head
            exchange.head = lambda code, *headers: head(302, "Location: /other.pth", *headers)
            body(exchange)

        with WeightsServer(CONTENT, [answer]) as server:
            fetch.run(server.url)
        assert len(server.requests) == 2

    def test_a_store_that_fails_is_named(self, fetch):
        with WeightsServer(CONTENT) as store:
            pass
        with (
            WeightsServer(CONTENT, otherwise=redirect(store.url)) as server,
            pytest.raises(InstallError) as raised,
        ):
            fetch.run(server.url)
        assert f"{server.host} refuses the connection (at {store.host})." in str(raised.value)


class TestMirrors:
    @pytest.mark.parametrize("end", ["", "/"])
    def test_the_users_own_is_asked_first(self, fetch, monkeypatch, end):
        with WeightsServer(CONTENT) as mirror, WeightsServer(CONTENT) as server:
            monkeypatch.setenv("SAMSEGMENT_MIRROR", f"http://{mirror.host}/our/models{end}")
            fetch.run(f"{server.url}?download=true")
        assert [request.path for request in mirror.requests] == ["/our/models/weights.pth"]
        assert server.requests == []

    def test_without_the_file_the_others_are_asked(self, fetch, monkeypatch):
        with WeightsServer(b"", otherwise=status(404)) as mirror, WeightsServer(CONTENT) as server:
            monkeypatch.setenv("SAMSEGMENT_MIRROR", f"http://{mirror.host}")
            fetch.run(server.url)
        assert len(mirror.requests) == len(server.requests) == 1

    def test_one_that_is_no_web_address_is_told(self, fetch, monkeypatch):
        monkeypatch.setenv("SAMSEGMENT_MIRROR", "/mnt/models")
        with (
            WeightsServer(CONTENT, otherwise=status(404)) as server,
            pytest.raises(InstallError, match="neither http nor https"),
        ):
            fetch.run(server.url)


class TestRequests:
    def test_they_name_the_program_and_want_no_coded_form(self, fetch):
        with WeightsServer(CONTENT, [cut_after(9)]) as server:
            fetch.run(server.url)
        for request in server.requests:
            assert request.headers["user-agent"] == f"SAMSegment/{__version__}"
            assert request.headers["accept-encoding"] == "identity"
        assert set(server.requests[0].headers) == {
            "host",
            "user-agent",
            "accept-encoding",
            "accept",
            "connection",
        }

    def test_they_bring_back_no_cookies(self, fetch):
        script = [status(503, "Set-Cookie: user=4711"), redirect(PATH), cut_after(5)]
        with WeightsServer(CONTENT, script) as server:
            fetch.run(server.url)
        assert not any("cookie" in request.headers for request in server.requests)

    def test_a_password_in_an_address_is_told_to_its_server_only(self, fetch):
        with WeightsServer(b"", otherwise=status(403)) as store:
            with (
                WeightsServer(CONTENT, otherwise=redirect(store.url)) as server,
                pytest.raises(InstallError) as raised,
            ):
                fetch.run(server.url.replace("http://", "http://ann:secret@"))
            expected = "Basic " + base64.b64encode(b"ann:secret").decode()
            assert server.requests[0].headers["authorization"] == expected
            assert "authorization" not in store.requests[0].headers
        assert "secret" not in str(raised.value)
        assert "ann" not in str(raised.value)
        assert not any("secret" in transfer.message for transfer in fetch.reported)

    def test_the_passwords_that_the_user_keeps_for_other_programs_are_not_sent(
        self, fetch, kept_passwords
    ):
        with (
            WeightsServer(CONTENT) as store,
            WeightsServer(CONTENT, [status(503), redirect(store.url)]) as server,
        ):
            fetch.run(server.url)
        assert len(server.requests) == 2 and len(store.requests) == 1
        for request in (*server.requests, *store.requests):
            assert "authorization" not in request.headers

    def test_nor_through_a_proxy(self, fetch, kept_passwords, monkeypatch):
        with Proxy() as proxy, WeightsServer(CONTENT) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            fetch.run(server.url)
        assert len(proxy.requests) == 1
        assert not {"authorization", "proxy-authorization"} & set(proxy.requests[0].headers)

    def test_a_password_in_an_address_that_is_sent_on_to_is_sent_to_nobody(self, fetch):
        with WeightsServer(CONTENT) as store:
            target = store.url.replace("http://", "http://ann:secret@")
            with WeightsServer(CONTENT, [redirect(target)]) as server:
                fetch.run(server.url)
        assert "authorization" not in store.requests[0].headers
        assert "referer" not in store.requests[0].headers

    def test_a_password_in_an_address_holds_for_other_paths_of_its_server(self, fetch):
        with WeightsServer(CONTENT, [redirect("/other.pth")]) as server:
            fetch.run(server.url.replace("http://", "http://ann:secret@"))
        assert all("authorization" in request.headers for request in server.requests)

    def test_none_is_made_and_nothing_is_imported_before_a_download(self):
        code = (
            "import sys, SAMSegmentLib.weights.download\n"
            "heavy = {'requests', 'urllib3', 'numpy', 'torch'} & set(sys.modules)\n"
            "sys.exit(', '.join(heavy) or 0)"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")


class TestProxies:
    def test_the_one_of_the_settings_is_used(self, fetch, monkeypatch):
        with Proxy() as proxy, WeightsServer(CONTENT, [cut_after(5000)]) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            fetch.run(server.url)
        assert [request.path for request in proxy.requests] == [server.url] * 2
        assert [request.offset for request in proxy.requests] == [None, 5000]

    def test_exceptions_from_it_are_respected(self, fetch, monkeypatch):
        with Proxy() as proxy, WeightsServer(CONTENT) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
            fetch.run(server.url)
        assert proxy.requests == []

    def test_its_password_is_sent_to_it_and_never_shown(self, fetch, monkeypatch):
        with Proxy(status(407)) as proxy, WeightsServer(CONTENT) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://ann:secret@"))
            with pytest.raises(InstallError, match="asks for a name and a password") as raised:
                fetch.run(server.url)
        assert "proxy-authorization" in proxy.requests[0].headers
        assert "secret" not in str(raised.value)
        assert server.requests == []

    def test_one_that_is_not_there_is_told(self, fetch, monkeypatch):
        with Proxy() as proxy:
            pass
        with WeightsServer(CONTENT) as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            with pytest.raises(InstallError, match="the proxy does not answer, or refuses"):
                fetch.run(server.url)
        assert server.requests == []

    @pytest.mark.parametrize("setting", ["http://", "nonsense://127.0.0.1:1", "http://[::1"])
    def test_settings_that_make_no_sense_are_told(self, fetch, monkeypatch, setting):
        monkeypatch.setenv("HTTP_PROXY", setting)
        with (
            WeightsServer(CONTENT) as server,
            pytest.raises(InstallError, match="proxy"),
        ):
            fetch.run(server.url)
        assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this computer that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=tests"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"openssl makes no certificate: {made.stderr[-200:]}")
    return paths


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


class TestCertificates:
    def test_an_unknown_one_is_refused_at_once(self, fetch, tls):
        with (
            WeightsServer(CONTENT, tls=tls) as server,
            pytest.raises(InstallError, match="a certificate that is not trusted: if your network"),
        ):
            fetch.run(server.url)
        assert server.requests == []

    @pytest.mark.parametrize("setting", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_one_that_the_user_or_the_system_trusts_is_enough(
        self, fetch, tls, certificate, monkeypatch, setting
    ):
        monkeypatch.setenv(setting, str(certificate[0]))
        with WeightsServer(CONTENT, [cut_after(5000)], tls=tls) as server:
            fetch.run(server.url)
        assert server.offsets == [None, 5000]

    def test_one_that_the_system_keeps_where_it_usually_does_is_enough(
        self, fetch, tls, certificate, monkeypatch, tmp_path
    ):
        # Slicer points SSL_CERT_FILE at certificates of its own.
        usual = (str(tmp_path / "none.pem"), str(certificate[0]))
        monkeypatch.setattr(download_module, "SYSTEM_CERTIFICATES", usual)
        with WeightsServer(CONTENT, tls=tls) as server:
            fetch.run(server.url)

    @pytest.mark.parametrize("setting", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_it_is_enough_through_a_proxy_as_well(
        self, fetch, tls, certificate, monkeypatch, setting
    ):
        monkeypatch.setenv(setting, str(certificate[0]))
        with Proxy() as proxy, WeightsServer(CONTENT, tls=tls) as server:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            fetch.run(server.url)
        assert [request.path for request in proxy.requests] == [server.host]

    def test_an_unknown_one_is_refused_through_a_proxy_as_well(self, fetch, tls, monkeypatch):
        with Proxy() as proxy, WeightsServer(CONTENT, tls=tls) as server:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            with pytest.raises(InstallError, match="a certificate that is not trusted"):
                fetch.run(server.url)
        assert server.requests == []

    def test_one_of_another_computer_is_refused(self, fetch, tls, certificate, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        with (
            WeightsServer(CONTENT, tls=tls) as server,
            pytest.raises(InstallError, match="a certificate that is not trusted"),
        ):
            fetch.run(server.url.replace("127.0.0.1", "localhost"))

    def test_a_bundle_that_is_not_there_is_told(self, fetch, tls, monkeypatch, tmp_path):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
        with (
            WeightsServer(CONTENT, tls=tls) as server,
            pytest.raises(InstallError, match="there is no file that REQUESTS_CA_BUNDLE names"),
        ):
            fetch.run(server.url)

    def test_who_sends_on_to_an_unprotected_address_is_refused(
        self, fetch, tls, certificate, monkeypatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        with (
            WeightsServer(CONTENT) as open_server,
            WeightsServer(CONTENT, [redirect(open_server.url)], tls=tls) as server,
            pytest.raises(InstallError, match=r"an unprotected address \(http at 127\.0\.0\.1"),
        ):
            fetch.run(server.url)
        assert open_server.requests == []

    def test_a_server_that_speaks_no_tls_is_told(self, fetch):
        with (
            WeightsServer(CONTENT) as server,
            pytest.raises(InstallError, match="fails to make a protected connection"),
        ):
            fetch.run(server.url.replace("http://", "https://"))
