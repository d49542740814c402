"""Tells the engine of this container to misbehave, or to behave again: ``python3 -m engine.misbehave '{}'``.

Without an argument it only asks. What the engine does now is printed as JSON; see `engine.faults`.
"""

import json
import os
import socket
import sys

ANSWER_LIMIT_S = 5.0
EXIT_USAGE = 4
EXIT_ENVIRONMENT = 5


def main() -> int:
    """Speak to the engine's door; returns the exit code."""
    path = os.environ.get("FAULTS_SOCKET", "")
    if not path:
        sys.stderr.write("misbehave: FAULTS_SOCKET is not set: this engine takes no such orders\n")
        return EXIT_USAGE
    try:
        answer = json.loads(tell(path, "".join(sys.argv[1:2])))
    except (OSError, ValueError) as silent:
        sys.stderr.write(f"misbehave: the engine does not answer at {path}: {silent}\n")
        return EXIT_ENVIRONMENT
    if "error" in answer:
        sys.stderr.write(f"misbehave: {answer['error']}\n")
        return EXIT_USAGE
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def tell(path: str, line: str) -> str:
    """Send one line to the door at a socket; returns the line that is answered."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(ANSWER_LIMIT_S)
        door.connect(path)
        door.sendall(line.encode() + b"\n")
        with door.makefile() as answers:
            return answers.readline()


if __name__ == "__main__":
    sys.exit(main())
