"""A small TLS proxy before the lab's Odoo: it can be closed, and shows whichever certificate it is told to."""
import os
import select
import socket
import ssl
import subprocess
import threading
import time

NAMES = 'DNS:erp.night.test,DNS:other-name.night.test'
AUTHORITY = """
[ca]
default_ca = here
[here]
dir = .
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
"""


def stamp(hours):
    """An instant so many hours from now, as openssl writes it."""
    return time.strftime('%y%m%d%H%M%SZ', time.gmtime(time.time() + hours * 3600))


class Front:
    """Listens on a port of its own; `shows` and `closed` change what the next connection meets."""

    # name: names in the certificate, valid from and until, in hours from now
    CERTIFICATES = {'good': (NAMES, -24 * 400, 24 * 3650), 'fresh': (NAMES, -1, 24 * 3650),
                    'expired': (NAMES, -24 * 400, -24 * 29 - 1), 'other': ('DNS:other.test', -24 * 400, 24 * 3650)}

    def __init__(self, folder, backend):
        self.folder, self.backend = folder, backend
        os.mkdir(folder)
        self.make()
        self.current, self.open_pairs, self.lock, self.listener = 'good', set(), threading.Lock(), None
        self.port = 0
        self.listen()

    def openssl(self, *words):
        subprocess.run(['openssl', *words], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w', encoding='utf-8') as file:
            file.write(text)

    def make(self):
        self.write('ca.conf', AUTHORITY)
        self.write('index', '')
        self.write('serial', '01\n')
        self.write('ca.ext', 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n')
        key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-config', 'ca.conf']
        self.openssl('req', '-new', *key, '-subj', '/CN=Night CA', '-keyout', 'ca.key', '-out', 'ca.csr')
        self.openssl('x509', '-req', '-in', 'ca.csr', '-signkey', 'ca.key', '-days', '3650', '-extfile', 'ca.ext',
                     '-out', 'ca.pem')
        self.contexts = {}
        for name, (names, start, end) in self.CERTIFICATES.items():
            self.write(name + '.ext', 'subjectAltName=%s\n' % names)
            self.openssl('req', '-new', *key, '-subj', '/CN=' + name, '-keyout', name + '.key', '-out', name + '.csr')
            self.openssl('ca', '-batch', '-config', 'ca.conf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', name + '.csr',
                         '-startdate', stamp(start), '-enddate', stamp(end), '-extfile', name + '.ext', '-out', name + '.pem')
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(self.folder, name + '.pem'), os.path.join(self.folder, name + '.key'))
            self.contexts[name] = context

    def authority(self):
        with open(os.path.join(self.folder, 'ca.pem'), encoding='utf-8') as file:
            return file.read()

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.0.1', self.port))
        listener.listen(50)
        self.port, self.listener = listener.getsockname()[1], listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def close(self):
        """Nobody listens any more, as where Odoo is stopped."""
        # A blocked accept would keep the port open.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def shows(self, name):
        self.current = name
        self.cut()

    def cut(self):
        """Ends the connections there are, so that what changed is met."""
        with self.lock:
            pairs = list(self.open_pairs)
        for ours in pairs:
            try:
                ours.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                ours, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(ours,), daemon=True).start()

    def serve(self, plain):
        theirs = None
        with self.lock:
            self.open_pairs.add(plain)
        try:
            plain.settimeout(30)
            ours = self.contexts[self.current].wrap_socket(plain, server_side=True)
            with self.lock:
                self.open_pairs.discard(plain)
                self.open_pairs.add(ours)
            plain = ours
            theirs = socket.create_connection(self.backend)
            while True:
                ready = [ours] if ours.pending() else select.select([ours, theirs], [], [])[0]
                for source, sink in ((ours, theirs), (theirs, ours)):
                    if source in ready:
                        block = source.recv(65536)
                        if not block:
                            return
                        sink.sendall(block)
        except (OSError, ValueError):
            return
        finally:
            with self.lock:
                self.open_pairs.discard(plain)
            plain.close()
            if theirs is not None:
                theirs.close()
