import { existsSync, realpathSync } from 'node:fs';

/** The uid and gid that commands see themselves as, whatever they are outside. */
export const insideId = 1000;
export const insideUser = 'agent';
export const insideHome = '/home/agent';

/** The few files of `/etc` that a sandbox gets of its own: the host's name its users and machines. */
export const ownEtcFiles: Readonly<Record<string, string>> = {
  passwd:
    `root:x:0:0:root:/root:/usr/sbin/nologin\n${insideUser}:x:${insideId}:${insideId}:agent:${insideHome}:/bin/bash\n` +
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: `root:x:0:\n${insideUser}:x:${insideId}:\nnogroup:x:65534:\n`,
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost sandbox\n',
  hostname: 'sandbox\n',
  // No resolver: names are resolved by the proxy, and a lookup must fail at once instead of waiting for nobody.
  'nsswitch.conf':
    'passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n',
};

/** What of the host's `/etc` programs need to run. `/etc/ssl/private` and everything else stays out. */
const hostEtc = [
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/ca-certificates.conf',
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/openssl',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/protocols',
  '/etc/services',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
];

/** Those of them that exist, with what they really are (a link would point out of the sandbox). */
export function hostEtcBinds(): ReadonlyArray<{ readonly source: string; readonly target: string }> {
  return hostEtc
    .filter((path) => existsSync(path))
    .map((path) => ({ source: realpathSync(path), target: path }));
}

/** Where systems keep their certificate authorities in one file. */
const authorityFiles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
];

export function authorityFile(): string | null {
  return authorityFiles.find((path) => existsSync(path)) ?? null;
}
