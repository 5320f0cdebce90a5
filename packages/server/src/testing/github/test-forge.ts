import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { gitIn } from '../git-fixtures.ts';
import { serveGit } from './git-backend.ts';
import { answerFault, requestFault, templateOf } from './openapi.ts';
import { type Answered, notFound, routes } from './routes.ts';
import { Shapes } from './shapes.ts';
import { GitHubState, type HeldToken } from './state.ts';

/** What goes wrong with requests that fit. */
export interface Fault {
  readonly method?: string;
  readonly path: RegExp;
  /** Of how many of them; default all. */
  times?: number;
  readonly kind:
    | {
        readonly name: 'answers';
        readonly status: number;
        readonly headers?: Record<string, string>;
        readonly body?: string;
      }
    /** It is done, and the connection ends before the answer. */
    | { readonly name: 'loses-answer' }
    | { readonly name: 'never-answers' }
    | { readonly name: 'truncates' }
    | { readonly name: 'floods' };
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  status: number;
}

/**
 * A GitHub of our own: git over HTTP, and the REST and GraphQL parts that the adapter uses. What it answers, and what
 * it is asked, is held to the document that GitHub publishes.
 */
export class TestGitHub {
  readonly state: GitHubState;
  readonly privateKey: string;
  readonly appId = '4711';
  readonly seen: Seen[] = [];
  readonly gitSeen: Seen[] = [];
  /** Requests and answers that GitHub's document does not have. Tests ask that there are none. */
  readonly faultsOfForm: string[] = [];
  readonly faults: Fault[] = [];
  /** What reached the other host that keeps logs. */
  readonly elsewhere: IncomingMessage['headers'][] = [];
  /** Fewer than GitHub answers on a page, to see them all read. */
  pageSize = 100;
  /** Called while a process of git waits for its answer. */
  onGit: (() => void) | null = null;
  /** Where git requests are sent instead. */
  gitRedirect: string | null = null;
  readonly #publicKey;
  readonly #root: string;
  #server: Server | null = null;
  #other: Server | null = null;
  #scheme = 'http';

  constructor(directory: string, source: string) {
    this.#root = directory;
    mkdirSync(join(directory, 'acme'), { recursive: true });
    const bare = join(directory, 'acme', 'web.git');
    gitIn(directory, ['clone', '-q', '--bare', source, bare]);
    gitIn(bare, ['config', 'http.receivepack', 'true']);
    this.state = new GitHubState(bare);
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.#publicKey = publicKey;
    // As GitHub gives them out.
    this.privateKey = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  }

  async start(tls?: { readonly key: string; readonly cert: string }): Promise<void> {
    const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
      this.#take(incoming, outgoing).catch((error: unknown) => {
        this.faultsOfForm.push(String(error));
        outgoing.destroy();
      });
    };
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
    this.#other = createServer((incoming, outgoing) => {
      this.elsewhere.push(incoming.headers);
      outgoing.end(this.state.logs.get(Number(incoming.url?.slice(1))) ?? '');
    });
    for (const server of [this.#server, this.#other])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  }

  async stop(): Promise<void> {
    for (const server of [this.#server, this.#other]) {
      server?.closeAllConnections();
      await new Promise<void>((resolve) =>
        server === null ? resolve() : void server.close(() => resolve()),
      );
    }
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server!.address() as AddressInfo).port}`;
  }

  get otherUrl(): string {
    return `http://localhost:${(this.#other!.address() as AddressInfo).port}`;
  }

  get repository(): string {
    return `${this.url}/acme/web`;
  }

  async #take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', this.url);
    const method = (incoming.method ?? 'GET').toLowerCase();
    const { authorization = '' } = incoming.headers;
    const seen: Seen = { method, path: url.pathname, authorization, status: 0 };
    if (!url.pathname.startsWith('/api/')) return this.#git(incoming, outgoing, seen);
    this.seen.push(seen);
    const text = await textOf(incoming);
    const fault = this.#fault(method, url.pathname);
    if (fault !== null && this.#spoil(fault, outgoing, seen)) return;
    const answer = await this.#answer(method, url, authorization, text);
    seen.status = answer.status;
    if (fault?.kind.name === 'loses-answer') return void outgoing.destroy();
    this.#send(answer, incoming, outgoing, url, fault);
    seen.status = outgoing.statusCode;
  }

  #fault(method: string, path: string): Fault | null {
    const fault = this.faults.find(
      (one) => one.path.test(path) && (one.method ?? method) === method && one.times !== 0,
    );
    if (fault?.times !== undefined) fault.times -= 1;
    return fault ?? null;
  }

  #spoil({ kind }: Fault, outgoing: ServerResponse, seen: Seen): boolean {
    if (kind.name === 'never-answers') return true;
    if (kind.name === 'floods') {
      const more = (): void => {
        while (!outgoing.destroyed && outgoing.write('x'.repeat(1 << 20)));
        outgoing.once('drain', more);
      };
      more();
      return true;
    }
    if (kind.name !== 'answers') return false;
    seen.status = kind.status;
    outgoing.writeHead(kind.status, kind.headers ?? {}).end(kind.body ?? '{"message":"in trouble"}');
    return true;
  }

  async #answer(method: string, url: URL, authorization: string, text: string): Promise<Answered> {
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
    const bearer = /^Bearer (\S+)$/.exec(authorization)?.[1] ?? '';
    if (url.pathname === '/api/graphql') return this.#graphql(body ?? {}, bearer);
    const path = decodeURI(url.pathname.replace(/^\/api\/v3/, ''));
    const template = templateOf(method, path);
    const query = Object.fromEntries(url.searchParams);
    const fault =
      template === null ? `there is no ${method} ${path}` : requestFault(method, template, query, body);
    if (fault !== null || template === null) {
      this.faultsOfForm.push(String(fault));
      return notFound;
    }
    const params = paramsOf(template, path);
    if (method === 'get' && path.endsWith('/logs')) {
      if (!this.#may(bearer, ['actions', 'read'])) return refused;
      const id = Number(params['job_id']);
      return this.state.logs.has(id) ? { status: 302, body: `${this.otherUrl}/${id}` } : notFound;
    }
    const route = routes[`${method} ${template}`];
    if (route === undefined) throw new Error(`the test forge has no ${method} ${template}`);
    const { owner, name } = this.state;
    if (route.needs === 'app' ? !(await this.#isApp(bearer)) : this.#held(bearer) === null)
      return { status: 401, body: { message: 'Bad credentials' } };
    if (params['owner'] !== undefined && (params['owner'] !== owner || params['repo'] !== name))
      return notFound;
    if (route.needs !== 'app' && !this.#may(bearer, route.needs)) return refused;
    const shapes = new Shapes(this.state, () => this.url);
    const token = this.#held(bearer);
    const answer = route.answer({ state: this.state, shapes, params, query, body: body ?? {}, token });
    const wrong = answerFault(method, template, answer.status, answer.body);
    if (wrong !== null) this.faultsOfForm.push(`${method} ${template} ${answer.status}: ${wrong}`);
    return answer;
  }

  #graphql(body: Record<string, unknown>, bearer: string): Answered {
    const { query, variables } = body as { query: string; variables: { id: string } };
    if (this.#held(bearer) === null) return { status: 401, body: { message: 'Bad credentials' } };
    const failed = (message: string, type: string): Answered => ({
      status: 200,
      body: { data: null, errors: [{ message, type }] },
    });
    if (!this.#may(bearer, ['pull_requests', 'write']))
      return failed('Resource not accessible by integration', 'FORBIDDEN');
    const pull = this.state.pulls.find(({ number }) => `PR_${number}` === variables.id);
    const mutation =
      /(markPullRequestReadyForReview|convertPullRequestToDraft)\(input: \{ pullRequestId: \$id \}\)/;
    const name = mutation.exec(query)?.[1];
    if (pull === undefined || name === undefined) return failed('Could not resolve to a node', 'NOT_FOUND');
    pull.draft = name === 'convertPullRequestToDraft';
    return { status: 200, body: { data: { [name]: { pullRequest: { isDraft: pull.draft } } } } };
  }

  #send(
    answer: Answered,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    url: URL,
    fault: Fault | null,
  ): void {
    if (answer.status === 302) {
      outgoing.writeHead(302, { location: String(answer.body) }).end();
      return;
    }
    let { body } = answer;
    const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
    if (answer.isList === true && Array.isArray(body)) {
      const size = Math.min(this.pageSize, Number(url.searchParams.get('per_page') ?? '30'));
      const page = Number(url.searchParams.get('page') ?? '1');
      if (body.length > page * size) {
        const next = new URL(url);
        next.searchParams.set('page', String(page + 1));
        headers['link'] = `<${next.href}>; rel="next"`;
      }
      body = body.slice((page - 1) * size, page * size);
    }
    const text = JSON.stringify(body);
    const etag = `W/"${createHash('sha256').update(text).digest('hex')}"`;
    if (incoming.method === 'GET' && answer.status === 200) headers['etag'] = etag;
    if (incoming.headers['if-none-match'] === etag) {
      outgoing.writeHead(304, headers).end();
      return;
    }
    outgoing.writeHead(answer.status, headers);
    outgoing.end(fault?.kind.name === 'truncates' ? text.slice(0, text.length / 2) : text);
  }

  async #git(incoming: IncomingMessage, outgoing: ServerResponse, seen: Seen): Promise<void> {
    this.gitSeen.push(seen);
    this.onGit?.();
    const token = Buffer.from(seen.authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .replace(/^x-access-token:/, '');
    const isPush = incoming.url?.includes('git-receive-pack') === true;
    seen.status = 200;
    if (this.gitRedirect !== null) {
      outgoing.writeHead(301, { location: `${this.gitRedirect}${incoming.url}` }).end();
    } else if (this.#held(token) === null) {
      seen.status = 401;
      outgoing.writeHead(401, { 'www-authenticate': 'Basic realm="GitHub"' }).end();
    } else if (!this.#may(token, ['contents', isPush ? 'write' : 'read'])) {
      seen.status = 403;
      outgoing.writeHead(403).end();
    } else serveGit(this.#root, incoming, outgoing);
  }

  #held(token: string): HeldToken | null {
    const held = this.state.tokens.get(token);
    return held === undefined || held.endsMs <= Date.now() ? null : held;
  }

  #may(token: string, needs: readonly [string, 'read' | 'write'] | null): boolean {
    const held = this.#held(token);
    if (held === null || held.repositories?.includes(this.state.name) === false) return false;
    if (needs === null) return true;
    const level = held.permissions[needs[0]];
    return level === 'write' || level === needs[1];
  }

  async #isApp(token: string): Promise<boolean> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: this.appId,
        algorithms: ['RS256'],
      });
      // GitHub takes none for longer.
      return (payload.exp ?? 0) - Date.now() / 1_000 <= 600;
    } catch {
      return false;
    }
  }
}

const refused: Answered = { status: 403, body: { message: 'Resource not accessible by integration' } };

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of incoming.setEncoding('utf8')) text += String(piece);
  return text;
}

function paramsOf(template: string, path: string): Record<string, string> {
  const values = path.split('/');
  return Object.fromEntries(
    template.split('/').flatMap((part, place) => {
      const name = /^\{(.+)\}$/.exec(part)?.[1];
      return name === undefined ? [] : [[name, decodeURIComponent(values[place] ?? '')]];
    }),
  );
}
