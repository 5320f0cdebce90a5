import type { FastifyRequest } from 'fastify';

/**
 * Where a person goes who opened a page without being signed in: the sign-in page, which leads back. Null for
 * everything that is no page opened in a browser: programs, and requests of pages, read the problem document.
 */
export function signInPageFor(
  { method, url, headers }: Pick<FastifyRequest, 'method' | 'url' | 'headers'>,
  code: string,
  canSignIn: boolean,
): string | null {
  const isPage = method === 'GET' && headers.accept?.includes('text/html') === true;
  const isOpened = (headers['sec-fetch-mode'] ?? 'navigate') === 'navigate';
  if (!canSignIn || code !== 'NOT_SIGNED_IN' || !isPage || !isOpened) return null;
  return url === '/' ? '/sign-in' : `/sign-in?returnTo=${encodeURIComponent(url)}`;
}
