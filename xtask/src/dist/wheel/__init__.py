"""Starts the program @PROGRAM@, which this package installs as a script."""

import os
import subprocess
import sys
import sysconfig

PROGRAM = "@PROGRAM@.exe" if os.name == "nt" else "@PROGRAM@"


def find():
    """The path of the program: in the scripts of this environment, of this user, or beside a package installed elsewhere."""
    here = os.path.dirname(os.path.abspath(__file__))
    above = os.path.dirname(here)
    user = "nt_user" if os.name == "nt" else "posix_user"
    places = [
        sysconfig.get_path("scripts"),
        os.path.dirname(os.path.abspath(sys.argv[0])),
        os.path.join(above, "bin"),
        sysconfig.get_path("scripts", scheme=user),
    ]
    for place in places:
        path = os.path.join(place, PROGRAM)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{PROGRAM} is in none of: {', '.join(places)}")


def main():
    command = [find(), *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
