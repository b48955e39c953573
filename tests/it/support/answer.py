"""Runs a program on a pseudo-terminal and answers its questions, one after the other."""

import json
import os
import pty
import select
import sys

answers, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
screen, asked, ended = b"", 0, None
while True:
    # That the other side is closed is not always told: whoever ended says nothing more.
    if not select.select([terminal], [], [], 0.2)[0]:
        if ended is not None:
            break
        gone, status = os.waitpid(pid, os.WNOHANG)
        ended = status if gone else None
        continue
    try:
        block = os.read(terminal, 4096)
    except OSError:
        break
    if not block:
        break
    screen += block
    # A question ends in ": " and waits.
    if answers and screen[asked:].endswith(b": "):
        asked = len(screen)
        os.write(terminal, answers.pop(0).encode() + b"\n")
sys.stdout.buffer.write(screen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1] if ended is None else ended))
