"""Proven: what conf/ offers beside its plain values: the parts of single-core.yml that are commented out are
good as they stand, and the sample hook does what it says with the environment that dnsd gives it."""
import os
import stat
import subprocess

import pytest

import harness

CONF = os.path.join(harness.SOURCE, "conf")
HOOK = os.path.join(CONF, "on-rotate.sh")


def uncommented(text, *sections):
    """TEXT with those sections in force."""
    lines, within = [], False
    for line in text.splitlines():
        if line.startswith("# ") and line[2:].rstrip(":") in sections:
            within = True
        elif not line.startswith("# "):
            within = False
        lines.append(line[2:] if within else line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("sections", [["letsEncrypt"], ["http", "auth"], ["letsEncrypt", "http", "auth"]],
                         ids="+".join)
def test_commented_sections(sections):
    with open(os.path.join(CONF, "single-core.yml"), encoding="utf-8") as f:
        text = f.read()
    path = os.path.join(harness.temp_folder(), "dnsd.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(uncommented(text, *sections))
    for section in sections:
        assert f"\n{section}:\n" in uncommented(text, *sections)
    tool = harness.run_tool("dnsd", "-c", path, "--check")
    assert "has no effect" not in tool.out + tool.err


@pytest.fixture
def hook():
    """run(...) of it, with a systemctl that writes down how it was called."""
    folder = harness.temp_folder()
    calls = os.path.join(folder, "calls")
    with open(os.path.join(folder, "systemctl"), "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\necho "$@" >>{calls}\n[ ! -e {folder}/broken ]\n')
    os.chmod(f.name, 0o755)
    environment = {"PATH": folder + ":/usr/bin:/bin", "PRYV_CERT_HOSTNAME": "*.mc.example.com",
                   "PRYV_CERT_PATH": os.path.join(folder, "fullchain.pem"),
                   "PRYV_CERT_KEYPATH": os.path.join(folder, "privkey.pem")}

    def run(without=None):
        given = {k: v for k, v in environment.items() if k != without}
        done = subprocess.run([HOOK], env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=20, check=False)
        said = ""
        if os.path.exists(calls):
            with open(calls, encoding="ascii") as f:
                said = f.read()
        return done, said

    run.folder = folder
    return run


def test_hook(hook):
    done, calls = hook()
    assert done.returncode == 0 and done.stderr == "", done
    assert calls == "reload nginx.service\n"


def test_hook_fails_with_what_it_calls(hook):
    with open(os.path.join(hook.folder, "broken"), "w", encoding="ascii"):
        pass
    assert hook()[0].returncode != 0


@pytest.mark.parametrize("name", ["PRYV_CERT_HOSTNAME", "PRYV_CERT_PATH", "PRYV_CERT_KEYPATH"])
def test_hook_without_its_environment(hook, name):
    done, calls = hook(without=name)
    assert done.returncode != 0 and name in done.stderr and calls == ""


def test_hook_may_be_run():
    mode = stat.S_IMODE(os.stat(HOOK).st_mode)
    assert mode & 0o111 == 0o111 and not mode & stat.S_IWOTH
