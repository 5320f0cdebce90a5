import type { Problem } from '../problem.ts';

/** What a person reads whose sign-in did not work. No script; every text is escaped. */
export function refusalPage(problem: Pick<Problem, 'code' | 'detail' | 'next' | 'requestId'>): string {
  const next = problem.next === null ? '' : `<p>${escaped(problem.next)}</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign-in did not work · Berth</title>
<link rel="stylesheet" href="/sign-in/page.css">
</head>
<body>
<main>
<h1>Sign-in did not work</h1>
<p>${escaped(problem.detail)}</p>
${next}
<p><a class="button" href="/sign-in">Sign in again</a></p>
<p class="quiet">${escaped(problem.code)} · ${escaped(problem.requestId)}</p>
</main>
</body>
</html>
`;
}

export function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
