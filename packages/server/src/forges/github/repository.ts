import type { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { RepositoryName } from './addresses.ts';
import type { ApiAnswer, ApiRequest } from './client.ts';
import type { GitHubConnection } from './connection.ts';
import { parsedJson, refusalOf } from './failures.ts';
import type { Purpose } from './permissions.ts';
import { graphqlSchema } from './shapes.ts';

/** A request about one repository: `path` is below it. */
export type RepositoryRequest = ApiRequest & { readonly purpose: Purpose };

/** One repository on GitHub, by the configuration of the moment of each request. */
export class GitHubRepository {
  readonly name: RepositoryName;
  readonly #connection: () => GitHubConnection;

  constructor(name: RepositoryName, connection: () => GitHubConnection) {
    this.name = name;
    this.#connection = connection;
  }

  /** @throws BerthError `FORGE_UNKNOWN` when the configuration has it no more */
  get connection(): GitHubConnection {
    return this.#connection();
  }

  /** As people write it. */
  get fullName(): string {
    return `${this.name.owner}/${this.name.name}`;
  }

  async send(request: RepositoryRequest): Promise<ApiAnswer> {
    const { client, credentials } = this.connection;
    const { account, authorize } = credentials.for(this.name, request.purpose);
    return client.send(this.#placed(request), account, authorize);
  }

  async json<T>(request: RepositoryRequest, schema: z.ZodType<T>): Promise<T> {
    const { client, credentials } = this.connection;
    const { account, authorize } = credentials.for(this.name, request.purpose);
    return (await client.json(this.#placed(request), schema, account, authorize)).value;
  }

  /** As `json`; null where there is nothing. */
  async jsonOrNull<T>(request: RepositoryRequest, schema: z.ZodType<T>): Promise<T | null> {
    return this.json(request, schema).catch((error: unknown) => {
      if (error instanceof BerthError && error.code === 'FORGE_NOT_FOUND') return null;
      throw error;
    });
  }

  async pages<T>(request: RepositoryRequest, schema: z.ZodType<T>, maxPages?: number): Promise<T[]> {
    const { client, credentials } = this.connection;
    const { account, authorize } = credentials.for(this.name, request.purpose);
    const options = maxPages === undefined ? {} : { maxPages };
    return client.pages(this.#placed(request), schema, account, authorize, options);
  }

  /** A mutation of GraphQL that may be repeated. @throws BerthError `FORGE_REFUSED` with what it says */
  async mutate(
    purpose: Purpose,
    what: string,
    query: string,
    variables: Record<string, string>,
  ): Promise<void> {
    const { client, credentials, addresses, name } = this.connection;
    const { account, authorize } = credentials.for(this.name, purpose);
    const answer = await client.send(
      { method: 'POST', path: addresses.graphql, body: { query, variables }, what, isRepeatable: true },
      account,
      authorize,
    );
    const parsed = graphqlSchema.safeParse(parsedJson(answer.text));
    const errors = parsed.success ? (parsed.data.errors ?? []) : [{ message: 'no answer of GraphQL' }];
    if (errors.length === 0) return;
    const { message } = refusalOf(JSON.stringify({ message: errors.map((one) => one.message).join('; ') }));
    const isForbidden = parsed.success && errors.some((one) => 'type' in one && one.type === 'FORBIDDEN');
    throw new BerthError(
      isForbidden ? 'FORGE_FORBIDDEN' : 'FORGE_REFUSED',
      `${name} refused ${what}: ${message}.`,
      { details: { forge: name } },
    );
  }

  #placed(request: RepositoryRequest): ApiRequest {
    const { purpose: _, ...rest } = request;
    return { ...rest, path: `/repos/${this.name.owner}/${this.name.name}${request.path}` };
  }
}
