import { expect, test } from 'vitest';
import { assertLoopback, isLoopback, parseListen, urlOf } from './listen-address.ts';
import { listenersOf } from './port-holder.ts';

test.each([
  ['127.0.0.1:7420', { host: '127.0.0.1', port: 7420 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  ['localhost:65535', { host: 'localhost', port: 65_535 }],
  ['berth.internal:80', { host: 'berth.internal', port: 80 }],
])('%s is an address', (text, address) => {
  expect(parseListen(text)).toEqual(address);
});

test.each([
  '7420',
  ':7420',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '::1:7420',
  '[1.2.3.4]:1',
  'a b:1',
])('%s is none', (text) => {
  expect(() => parseListen(text)).toThrowError(expect.objectContaining({ code: 'LISTEN_INVALID' }) as Error);
});

test('an address reads back as an URL', () => {
  expect(urlOf({ host: '::1', port: 1 })).toBe('http://[::1]:1');
  expect(urlOf({ host: 'localhost', port: 7420 })).toBe('http://localhost:7420');
});

test('only this machine itself is loopback', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  const reachable = ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', '127.example', '::ffff:127.0.0.1', ''];
  expect(reachable.filter(isLoopback)).toEqual([]);
});

test('a token of this machine is no way to sign in beyond loopback', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'berth.example']) {
    expect(() => assertLoopback({ host, port: 7420 })).toThrowError(
      expect.objectContaining({ code: 'LISTEN_REFUSED' }) as Error,
    );
  }
  assertLoopback({ host: '127.0.0.1', port: 7420 });
});

test('the socket that listens on a port is found in the table of the kernel, connections through it are not', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1CFC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1CFC 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:1CFD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0`;
  expect(listenersOf(table, 7420)).toEqual(['4711']);
});
