import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { peopleOf } from '../access/people.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { createSignIn, type SignIn, type SignInOptions } from '../access/sign-in/index.ts';
import { tcpDoor } from '../api/access/authenticate.ts';
import { createApi } from '../api/create-api.ts';
import { configSchema, type Config, type CurrentConfig } from '../domain/config/index.ts';
import type { Database } from '../store/database.ts';
import { FakeControlPlane } from './fake-control-plane.ts';
import { MemoryAuditSink } from './memory-audit-sink.ts';

/** Configuration that a test changes while requests come in. */
export class ChangingConfig implements CurrentConfig {
  #config: Config;
  #number = 1;

  constructor(input: object) {
    this.#config = configSchema.parse({ version: 1, ...input });
  }

  set(input: object): void {
    this.#config = configSchema.parse({ version: 1, ...input });
    this.#number += 1;
  }

  current(): ReturnType<CurrentConfig['current']> {
    return { number: this.#number, config: this.#config, sources: {} };
  }

  onChange(): () => void {
    return () => undefined;
  }
}

export interface SignInWorld {
  readonly app: FastifyInstance;
  readonly signIn: SignIn;
  readonly config: ChangingConfig;
  readonly audit: MemoryAuditSink;
  /** Sessions whose end was announced. */
  readonly announced: string[];
  readonly secrets: Record<string, string>;
  readonly browser: () => TestBrowser;
  readonly close: () => Promise<void>;
}

/** A server with the door of a TCP listener over a real database; secrets and announcements are the test's. */
export function signInWorld(
  db: Database,
  input: object = {},
  options: Partial<SignInOptions> & { readonly tokens?: Authenticator } = {},
): SignInWorld {
  const { tokens, ...signInOptions } = options;
  const config = new ChangingConfig(input);
  const audit = new MemoryAuditSink();
  const announced: string[] = [];
  const secrets: Record<string, string> = {};
  const signIn = createSignIn({
    db,
    config,
    audit,
    resolveSecret: async (reference) => secrets[reference] ?? '',
    announceEnded: async (ids) => void announced.push(...ids),
    ...signInOptions,
  });
  const authenticators = [...(tokens === undefined ? [] : [tokens]), ...signIn.authenticators];
  const app = createApi(new FakeControlPlane({ pace: 0, worker: false }), {
    door: tcpDoor({ config, signIn, authenticators }),
    signIn,
    people: peopleOf(db, config),
  });
  return {
    app,
    signIn,
    config,
    audit,
    announced,
    secrets,
    browser: () => new TestBrowser(app),
    close: async () => {
      await app.close();
      await signIn.close();
    },
  };
}

export interface BrowserAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly setCookies: readonly string[];
  readonly json: LightMyRequestResponse['json'];
}

/** A browser with cookies, as far as attacks on sign-in need one. */
export class TestBrowser {
  readonly cookies = new Map<string, string>();
  host = '127.0.0.1:7420';
  readonly #app: FastifyInstance;

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<BrowserAnswer> {
    return this.send({ method: 'GET', url, headers });
  }

  /** Posts JSON as a page of this origin does. */
  async post(
    url: string,
    body: object | undefined,
    headers: Record<string, string> = {},
  ): Promise<BrowserAnswer> {
    const own = { origin: `http://${this.host}`, 'sec-fetch-site': 'same-origin' };
    return this.send({
      method: 'POST',
      url,
      headers: { ...own, ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
  }

  async send(options: InjectOptions): Promise<BrowserAnswer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.#app.inject({
      ...options,
      headers: { host: this.host, ...(cookie === '' ? {} : { cookie }), ...options.headers },
    });
    const setCookies = [answer.headers['set-cookie'] ?? []].flat();
    for (const line of setCookies) this.#keep(line);
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      setCookies,
      json: () => answer.json(),
    };
  }

  /** Signs in with a fresh one-time link; answers the value for changes. */
  async signInByLink(signIn: SignIn, account = 'anna'): Promise<string> {
    const answer = await this.post('/auth/link', { code: await linkCode(signIn, account) });
    return answer.json<{ csrf: string }>().csrf;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(at + 1));
  }
}

/** The code of a fresh one-time link. */
export async function linkCode(signIn: SignIn, account = 'anna'): Promise<string> {
  const { url } = await signIn.createSignInLink(account);
  return url.split('#code=')[1] ?? '';
}
