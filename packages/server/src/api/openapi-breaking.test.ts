import { expect, test } from 'vitest';
import { breakingChanges, type Json } from './openapi-breaking.ts';
import { openapiDocument } from './openapi-document.ts';

const state = { type: 'string', enum: ['queued', 'running'] };
const thing = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    count: { type: 'integer' },
    state,
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['id', 'count'],
};
const document = (over: { thing?: Json; body?: Json; parameters?: Json[]; paths?: Json } = {}): Json => ({
  paths: over.paths ?? {
    '/things': {
      post: {
        operationId: 'make',
        parameters: over.parameters ?? [{ in: 'query', name: 'limit', schema: { type: 'number' } }],
        requestBody: {
          content: {
            'application/json': {
              schema: over.body ?? {
                type: 'object',
                properties: { name: { type: 'string' }, state },
                required: ['name'],
              },
            },
          },
        },
        responses: {
          200: {
            content: {
              'application/json': {
                schema: { anyOf: [{ $ref: '#/components/schemas/Thing' }, { type: 'null' }] },
              },
            },
          },
        },
      },
    },
  },
  components: { schemas: { Thing: over.thing ?? thing } },
});
const withMember = (name: string, schema: Json): Json => ({
  ...thing,
  properties: { ...thing.properties, [name]: schema },
});

test('the same document, and one with more in its answers and more that may be asked, breaks nothing', () => {
  expect(breakingChanges(document(), document())).toEqual([]);
  expect(breakingChanges(document(), document({ thing: withMember('more', { type: 'string' }) }))).toEqual(
    [],
  );
  const parameters = [
    { in: 'query', name: 'limit', schema: { anyOf: [{ type: 'number' }, { type: 'string' }] } },
    { in: 'query', name: 'new', schema: { type: 'string' } },
  ];
  expect(breakingChanges(document(), document({ parameters }))).toEqual([]);
});

test.each<[string, Json, string]>([
  ['a route', document({ paths: {} }), 'POST /things: the route is gone'],
  [
    'a member of an answer',
    document({
      thing: { ...thing, properties: { id: { type: 'string' }, state, tags: thing.properties.tags } },
    }),
    '.count: the member is gone',
  ],
  ['a type', document({ thing: withMember('id', { type: 'number' }) }), '.id: the type string became number'],
  ['a wider type', document({ thing: withMember('count', { type: 'number' }) }), 'integer became number'],
  ['a null', document({ thing: withMember('id', { type: ['string', 'null'] }) }), '.id: the type'],
  [
    'the type of items',
    document({ thing: withMember('tags', { type: 'array', items: { type: 'number' } }) }),
    '.tags[]: the type string became number',
  ],
  [
    'a value',
    document({ thing: withMember('state', { type: 'string', enum: ['queued'] }) }),
    '"running" is gone',
  ],
  ['a certainty', document({ thing: { ...thing, required: ['id'] } }), '.count: it may be missing now'],
  [
    'a new input that is required',
    document({
      body: {
        type: 'object',
        properties: { name: { type: 'string' }, state, more: { type: 'string' } },
        required: ['name', 'more'],
      },
    }),
    'body.more: it is required now',
  ],
  [
    'a value that is taken',
    document({
      body: {
        type: 'object',
        properties: { name: { type: 'string' }, state: { ...state, enum: ['queued'] } },
        required: ['name'],
      },
    }),
    '"running" is gone',
  ],
  ['a parameter', document({ parameters: [] }), 'query limit: the parameter is gone'],
  [
    'a narrower parameter',
    document({ parameters: [{ in: 'query', name: 'limit', schema: { type: 'integer' } }] }),
    'query limit: the type number became integer',
  ],
  [
    'a parameter that is required',
    document({
      parameters: [
        { in: 'query', name: 'limit', schema: { type: 'number' } },
        { in: 'query', name: 'who', required: true, schema: { type: 'string' } },
      ],
    }),
    'query who: a new required parameter',
  ],
])('%s that changes is found', (_, after, sentence) => {
  expect(breakingChanges(document(), after).join('\n')).toContain(sentence);
});

test('taking any one route, member or value out of the real document is found', async () => {
  const real = (await openapiDocument()) as Json;
  expect(breakingChanges(real, structuredClone(real))).toEqual([]);
  const without = structuredClone(real) as { paths: Record<string, Record<string, unknown>> };
  delete without.paths['/api/v1/runs/{id}/outline'];
  expect(breakingChanges(real, without as unknown as Json)).toEqual([
    'GET /api/v1/runs/{id}/outline: the route is gone',
  ]);
  const less = structuredClone(real) as { components: { schemas: { Run: { properties: object } } } };
  const properties = less.components.schemas.Run.properties as Record<string, unknown>;
  delete properties['costUsd'];
  expect(breakingChanges(real, less as unknown as Json).join('\n')).toContain('.costUsd: the member is gone');
});
