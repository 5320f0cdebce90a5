import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface SimulatedField {
  readonly id: string;
  readonly label: string;
  value?: string;
  readonly section?: string;
}

export interface SimulatedItem {
  readonly id: string;
  readonly title: string;
  readonly sections?: readonly { readonly id: string; readonly label: string }[];
  readonly fields: SimulatedField[];
}

export interface SimulatedVault {
  readonly id: string;
  readonly name: string;
  readonly items: SimulatedItem[];
}

/** How the next requests are answered. */
export type SimulatedTrouble =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes the request and says nothing. */
  | { readonly kind: 'silent' }
  /** Begins its answer, one byte each 20 ms, and never comes to its end. */
  | { readonly kind: 'slow body' }
  | {
      readonly kind: 'body';
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'reset' };

/**
 * Simulates a 1Password Connect server, as its public documents describe version 1: enough of vaults and items to read
 * fields. Not the real one, which needs an account.
 */
export interface SimulatedOnePassword {
  readonly url: string;
  readonly token: string;
  readonly vaults: SimulatedVault[];
  /** Lists are answered in pages of this size, with `Link`; 0: whole. */
  pageSize: number;
  /** Whether `filter` is heeded; a server that does not must not be believed. */
  filters: boolean;
  /** Troubles of the next requests, in order; then all is well again. */
  readonly troubles: SimulatedTrouble[];
  /** Paths asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

export async function simulateOnePassword(token: string): Promise<SimulatedOnePassword> {
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const simulated: SimulatedOnePassword = {
    url: `http://127.0.0.1:${port}`,
    token,
    vaults: [],
    pageSize: 0,
    filters: true,
    troubles: [],
    asked: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', simulated.url);
    simulated.asked.push(url.pathname);
    const trouble = simulated.troubles.shift();
    if (trouble !== undefined) return cause(trouble, response);
    if (request.headers.authorization !== `Bearer ${token}`) {
      return send(response, 401, { status: 401, message: 'Invalid token signature' });
    }
    const [, version, , vaultId, items, itemId] = url.pathname.split('/').map(decodeURIComponent);
    if (version !== 'v1') return send(response, 404, { status: 404, message: 'not found' });
    const shown = simulated.vaults.map(({ id, name }) => ({ id, name }));
    if (vaultId === undefined) return list(url, response, filtered(url, shown, 'name'));
    const vault = simulated.vaults.find(({ id }) => id === vaultId);
    if (vault === undefined) return send(response, 404, { status: 404, message: 'Vault not found' });
    if (items === undefined) return send(response, 200, { id: vault.id, name: vault.name });
    if (itemId === undefined) {
      const entries = vault.items.map(({ id, title }) => ({ id, title, vault: { id: vault.id } }));
      return list(url, response, filtered(url, entries, 'title'));
    }
    const item = vault.items.find(({ id }) => id === itemId);
    if (item === undefined) return send(response, 404, { status: 404, message: 'Item not found' });
    const fields = item.fields.map(({ section, ...field }) => ({
      ...field,
      ...(section === undefined ? {} : { section: { id: section } }),
    }));
    send(response, 200, { ...item, vault: { id: vault.id }, category: 'API_CREDENTIAL', fields });
  }

  function filtered<T extends object>(url: URL, entries: readonly T[], key: string): readonly T[] {
    const text = url.searchParams.get('filter');
    if (text === null || !simulated.filters) return entries;
    const wanted = new RegExp(`^${key} eq "((?:[^"\\\\]|\\\\.)*)"$`).exec(text)?.[1];
    if (wanted === undefined) return [];
    const plain = wanted.replaceAll(/\\(.)/g, '$1');
    return entries.filter((entry) => (entry as Record<string, unknown>)[key] === plain);
  }

  function list(url: URL, response: ServerResponse, entries: readonly object[]): void {
    const { pageSize } = simulated;
    const offset = Number(url.searchParams.get('offset') ?? '0');
    if (pageSize === 0) return send(response, 200, entries);
    if (offset + pageSize < entries.length) {
      const next = new URL(url);
      next.searchParams.set('offset', String(offset + pageSize));
      response.setHeader('link', `<${next.pathname}${next.search}>; rel="next"`);
    }
    send(response, 200, entries.slice(offset, offset + pageSize));
  }
  return simulated;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function cause(trouble: SimulatedTrouble, response: ServerResponse): void {
  switch (trouble.kind) {
    case 'status':
      response.writeHead(trouble.status, { ...trouble.headers }).end('{}');
      return;
    case 'silent':
      return;
    case 'slow body': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
      return;
    }
    case 'body':
      response.writeHead(200, { 'content-type': 'application/json', ...trouble.headers }).end(trouble.text);
      return;
    case 'reset':
      response.socket?.destroy();
  }
}
