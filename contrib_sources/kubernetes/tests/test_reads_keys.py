"""Which key of which object is read, who may, and what is said when that fails."""

from __future__ import annotations

import base64
import json
import sys

import pytest

from midflight import Runtime
from midflight.errors import InvalidConfigurationError, SourceUnavailableError
from midflight_kubernetes import KubernetesSource

TEXT = "modules: {}\nshop: {every: 7.5}\n"


def read(uri):
    """Return the section `shop`, and what the read gave."""
    document, loaded = Runtime(uri).read()
    return document.sections.get("shop"), loaded


def test_the_only_key_needs_no_name(configmap):
    """An object with one key is read without its name."""
    found, loaded = read(configmap.uri.partition("#")[0])

    assert found["every"] == configmap.number + 0.5
    assert loaded.version.isdigit()


def test_one_of_several_keys_has_to_be_named(configmap):
    """The error shows which keys there are."""
    configmap.write(TEXT, other="x")
    with pytest.raises(SourceUnavailableError, match=r"it has: app\.yaml, other"):
        read(configmap.uri.partition("#")[0])
    with pytest.raises(SourceUnavailableError, match="there is no key `nope`"):
        read(configmap.uri.partition("#")[0] + "#nope")

    assert read(configmap.uri)[0]["every"] == 7.5


def test_an_object_without_data_is_no_configuration(configmap):
    """No key is not an empty configuration."""
    configmap.put({})

    with pytest.raises(SourceUnavailableError, match="it has: none"):
        read(configmap.uri)


def test_binary_data_is_read_as_well(configmap):
    """What `kubectl` stores as bytes is decoded."""
    coded = base64.b64encode(TEXT.encode()).decode()
    configmap.put({"binaryData": {"app.yaml": coded}})

    assert read(configmap.uri)[0]["every"] == 7.5


def test_toml_is_read_where_it_is_said(secret):
    """The format is an option, for Secrets too."""
    secret.write("[shop]\nevery = 7.5\n[modules]\n")

    assert read(secret.uri.replace("?", "?format=toml&"))[0]["every"] == 7.5


def test_faults_of_a_secret_show_nothing_of_it(secret, configmap):
    """What was found is told of a ConfigMap, and not of a Secret."""
    for stored in (secret, configmap):
        stored.write("modules: {web: s3same}\n")
    with pytest.raises(InvalidConfigurationError, match="s3same"):
        read(configmap.uri)
    with pytest.raises(InvalidConfigurationError) as caught:
        read(secret.uri)

    assert str(caught.value.faults[0].place).endswith(":1:16")
    assert "s3same" not in str(caught.value)


def test_who_is_not_known_is_told_without_the_token(configmap):
    """A wrong token is refused, and stays unsaid."""
    uri = configmap.uri.replace("?", "?context=stranger&")
    with pytest.raises(SourceUnavailableError, match="Unauthorized") as caught:
        read(uri)

    assert "guessed-9" not in f"{caught.value!r} {KubernetesSource(uri)!r}"


def test_an_exchanged_token_is_taken_up(configmap, api, tmp_path):
    """After a refusal the kubeconfig is read anew."""
    file = tmp_path / "kubeconfig"
    good = api.kubeconfig.read_text()
    file.write_text(good.replace("sesame-of-the-pod", "of-yesterday"))
    source = KubernetesSource(
        f"configmap/shop/{configmap.object}", kubeconfig=str(file)
    )
    with pytest.raises(SourceUnavailableError, match="Unauthorized"):
        source.hash()
    file.write_text(good)

    assert source.hash() == configmap.source.hash()


@pytest.fixture
def logs_in(configmap, api, tmp_path):
    """Make a source that logs in by a command, as in managed clusters."""

    def make(script, version="v1beta1"):
        known = json.loads(api.kubeconfig.read_text())
        command = {"command": sys.executable, "args": ["-Ic", script]}
        command["apiVersion"] = f"client.authentication.k8s.io/{version}"
        known["users"][0]["user"] = {"exec": command}
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(known))
        url = f"configmap/shop/{configmap.object}"
        return KubernetesSource(url, kubeconfig=str(file))

    return make


def test_a_command_may_log_in(configmap, logs_in, token):
    """What it prints is used, as `kubectl` does."""
    printed = json.dumps({"status": {"token": token}})

    assert logs_in(f"print({printed!r})").hash() == configmap.source.hash()


@pytest.mark.parametrize(
    ("script", "version", "said"),
    [
        ("raise SystemExit('s3same')", "v1beta1", "returned 1"),
        ("print('s3same')", "v1beta1", "Expecting value"),
        ('print(\'{"status": {"s3same": 1}}\')', "v1beta1", "'token'"),
        ("", "v1", "exec api version client.authentication.k8s.io/v1 not implemented"),
    ],
)
def test_a_command_that_fails_is_told_without_its_words(logs_in, script, version, said):
    """What it printed may be a token, and stays unsaid."""
    with pytest.raises(SourceUnavailableError, match=said) as caught:
        logs_in(script, version).hash()

    assert "s3same" not in str(caught.value)


def test_what_the_account_may_not_read_is_told(api):
    """The API's own words say which right is missing."""
    source = KubernetesSource("configmap/forbidden/app", kubeconfig=str(api.kubeconfig))

    with pytest.raises(SourceUnavailableError, match=r"is forbidden: User \"shop\""):
        source.hash()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "not found"),
        ("token: [s3same", "no way to log in: "),
        ("{}", "no way to log in: KeyError"),
    ],
)
def test_a_broken_kubeconfig_is_told_without_its_text(tmp_path, text, said):
    """A file that is missing or broken is an outage, and is not quoted."""
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SourceUnavailableError, match=said) as caught:
        KubernetesSource("secret/shop/app", kubeconfig=str(file)).hash()

    assert "s3same" not in str(caught.value)


def test_the_environment_says_where_and_who(configmap, monkeypatch):
    """Without the option, outside of a pod, `KUBECONFIG` is asked."""
    monkeypatch.setenv("KUBECONFIG", str(configmap.server.kubeconfig))
    source = KubernetesSource.from_uri(f"configmap/shop/{configmap.object}")

    assert source.hash() == configmap.source.hash()


@pytest.mark.parametrize("url", ["configmap/a", "pod/a/b", "//h/configmap/a/b", ""])
def test_an_address_of_something_else_is_refused(url):
    """The error shows how an address is written."""
    with pytest.raises(ValueError, match="kubernetes:configmap/NAMESPACE/NAME"):
        KubernetesSource(url)
