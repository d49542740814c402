"""Print the go.mod of the kubernetes family: `python pin_kubernetes.py 1.37.2 > kubernetes/go.mod`.

k8s.io/kubernetes requires its staging modules at v0.0.0 and replaces them by folders that its module does
not contain, and replacements of a dependency do not count. So each is replaced here by its released tag.
Run `go mod tidy` in the folder afterwards.
"""

import json
import subprocess
import sys
from typing import Any

ETCD = "go.etcd.io/etcd/server/v3"


def go_json(*arguments: str) -> dict[str, Any]:
    """What a go command prints as JSON."""
    printed = subprocess.run(["go", *arguments], capture_output=True, check=True).stdout
    return dict(json.loads(printed))


def go_mod(version: str) -> str:
    """The go.mod for one release of Kubernetes, such as ``1.37.2``."""
    folder = go_json("mod", "download", "-json", f"k8s.io/kubernetes@v{version}")["Dir"]
    theirs = go_json("mod", "edit", "-json", f"{folder}/go.mod")
    etcd = next(one["Version"] for one in theirs["Require"] if one["Path"] == ETCD)
    staging = [one["Old"]["Path"] for one in theirs["Replace"] if one["New"]["Path"].startswith("./staging/")]
    tag = f"v0.{version.split('.', 1)[1]}"
    lines = [
        "module sealegs/kubernetes",
        f"go {theirs['Go']}",
        f"godebug default=go{'.'.join(theirs['Go'].split('.')[:2])}",
        f"require (\n\tk8s.io/kubernetes v{version}\n\t{ETCD} {etcd}\n)",
        "replace (\n" + "".join(f"\t{path} => {path} {tag}\n" for path in staging) + ")",
    ]
    return "\n\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(go_mod(sys.argv[1]))
