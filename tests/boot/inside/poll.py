"""poll.py FILE: asks the daemon over its socket, again and again, until FILE is gone; prints what came of it as JSON.

    poll.py --burst N     asks N times over as few connections as it takes, and prints the same
"""
import http.client
import json
import os
import socket
import sys
import time

SOCKET = '/run/odoo-spoold.sock'
PATIENCE = 200  # more than a stop may take


class Client(http.client.HTTPConnection):
    def __init__(self):
        super().__init__('localhost', timeout=PATIENCE)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(SOCKET)


def ask(client):
    client.request('GET', '/v1/status')
    answer = client.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise OSError('status %d' % answer.status)
    return json.loads(body)


def main():
    asked, longest, refused, cut = 0, 0.0, [], []
    if sys.argv[1] == '--burst':
        client = Client()
        for _ in range(int(sys.argv[2])):
            ask(client)
            asked += 1
    else:
        while os.path.exists(sys.argv[1]):
            began = time.monotonic()
            client = Client()
            try:
                client.connect()
            except OSError as error:  # nobody listens: what an upgrade must never show
                refused.append(str(error))
                continue
            try:
                ask(client)
                asked += 1
            except (OSError, http.client.HTTPException) as error:
                cut.append(repr(error))
            finally:
                client.close()
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.02)
    print(json.dumps({'asked': asked, 'refused': refused, 'cut': cut, 'longest': round(longest, 3)}))


main()
