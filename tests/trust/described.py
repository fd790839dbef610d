"""R23: both listeners answer as their OpenAPI documents say, whatever is asked that the documents allow or forbid."""

import json
import os
import subprocess
import sys
import tempfile

from power import Unable
from service import call, must, running

HERE = os.path.dirname(os.path.abspath(__file__))
LIST = os.path.join(HERE, "requirements.txt")
TOKEN = "an-admin-token-of-the-trial-of-the-api"
INSTALL_SECONDS_MAX = 300
# What answers have to be. That a request which fits the document is accepted can't be: what an event says decides too.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth,unsupported_method"


def tools():
    """The folder with the tools of `requirements.txt`, installed below the target folder once."""
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "..", "..", "target")
    folder = os.path.abspath(os.path.join(target, "schemathesis"))
    with open(LIST, encoding="ascii") as file:
        wanted = file.read()
    done = os.path.join(folder, "installed-requirements.txt")
    if os.path.exists(done):
        with open(done, encoding="ascii") as file:
            if file.read() == wanted:
                return os.path.join(folder, "bin")
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True, timeout=120)
        pip = os.path.join(folder, "bin", "pip")
        subprocess.run([pip, "install", "--quiet", "-r", LIST], check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError) as why:
        raise Unable(f"schemathesis can't be installed from PyPI here: {why}") from why
    with open(done, "w", encoding="ascii") as file:
        file.write(wanted)
    return os.path.join(folder, "bin")


def valid(tools_folder, document):
    """Whether a document follows the specification."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        done = subprocess.run([os.path.join(tools_folder, "openapi-spec-validator"), file.name], capture_output=True, text=True, check=False, timeout=120)
    must(done.returncode == 0, f"{document['info']['title']} is no OpenAPI document: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def asked(tools_folder, port, long, *more):
    """Sends what the document of a listener describes, and what it does not; gives the last lines of what was said."""
    command = [os.path.join(tools_folder, "st"), "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", CHECKS, "--phases", "coverage,fuzzing",
               "--max-examples", "300" if long else "5", "--request-timeout", "40", "--generation-database", "none", "--no-color", "--warnings", "off", *more]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=7200 if long else 900, cwd=folder)
    must(done.returncode == 0, f"an answer is not as described: {done.stdout[-6000:]}{done.stderr[-1000:]}")
    cases = [line.strip() for line in done.stdout.splitlines() if "generated" in line]
    return cases[-1] if cases else done.stdout[-200:]


def as_described(binary, long):
    folder = tools()
    env = {"FRESHSIGNAL_ADMIN__TOKEN": TOKEN, "FRESHSIGNAL_SOURCES__CONTACT__FORM": "true", "FRESHSIGNAL_HOOKS__IN__KIND": "stripe",
           "FRESHSIGNAL_HOOKS__IN__SOURCE": "contact", "FRESHSIGNAL_HOOKS__IN__SECRET": "whsec_0123456789abcdef"}
    with running(binary, env) as service:
        for port in (service.public, service.private):
            valid(folder, call(port, "GET", "/openapi.json")[1])
        # Other names of a path have no id of their own; the long form asks them too.
        own = [] if long else ["--include-operation-id-regex", "."]
        public = asked(folder, service.public, long, "--auth", "key:", *own)
        # The stream has no end.
        private = asked(folder, service.private, long, "--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", "/api/stream")
    return f"public: {public}; private: {private}"

