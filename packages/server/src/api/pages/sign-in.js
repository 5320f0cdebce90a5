// The sign-in page. Its code may stand in the fragment, which never leaves the browser: it is posted once and removed
// from the address before anything else.
const code = new URLSearchParams(location.hash.slice(1)).get('code');
history.replaceState(null, '', location.pathname + location.search);
const returnTo = new URLSearchParams(location.search).get('returnTo');
const status = document.getElementById('status');
const ways = document.getElementById('ways');
const hint = document.getElementById('hint');

async function ask(url, body) {
  const answer = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    credentials: 'same-origin',
    cache: 'no-store',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const data = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(data.detail), { code: data.code, next: data.next });
  return data;
}

function offer(text, href) {
  const link = document.createElement('a');
  link.className = 'button';
  link.href = href;
  link.textContent = text;
  const item = document.createElement('li');
  item.append(link);
  ways.append(item);
}

async function showWays(sentence) {
  const methods = await ask('/auth/methods');
  status.textContent = sentence;
  if (methods.oidc !== null) {
    const query = returnTo === null ? '' : `?returnTo=${encodeURIComponent(returnTo)}`;
    offer(`Sign in with ${methods.oidc.name}`, `/auth/oidc/start${query}`);
  }
  if (methods.link)
    hint.textContent =
      'Whoever started Berth: press Enter where “berth up” runs, and it prints a link that signs you in.';
  else if (methods.oidc === null) hint.textContent = 'Open Berth through the proxy that signs you in.';
}

// A server without the web interface has no page to go to: then this one stays.
async function goTo(path) {
  if (await isPage(path)) location.replace(path);
  else offer('Read and try the API', '/api/docs');
}

async function isPage(path) {
  const there = await fetch(path, { headers: { accept: 'text/html' }, cache: 'no-store' });
  return there.ok && there.headers.get('content-type')?.includes('text/html') === true;
}

// What the address asks for, unless it leads to another site.
function ownPath(path) {
  if (path === null || !URL.canParse(path, location.origin)) return '/';
  const there = new URL(path, location.origin);
  return there.origin === location.origin ? there.href : '/';
}

async function start() {
  if (code !== null) {
    const welcome = await ask('/auth/link', { code, ...(returnTo === null ? {} : { returnTo }) });
    status.textContent = `Signed in as ${welcome.name}.`;
    await goTo(welcome.returnTo);
    return;
  }
  try {
    const me = await ask('/api/v1/me');
    status.textContent = `Signed in as ${me.name}.`;
    if (await isPage(ownPath(returnTo))) offer('Open Berth', ownPath(returnTo));
    else offer('Read and try the API', '/api/docs');
  } catch {
    await showWays('Sign in to go on.');
  }
}

start().catch(async (error) => {
  const sentence = `${error.message} ${error.next ?? ''}`;
  await showWays(sentence).catch(() => {
    status.textContent = sentence;
  });
});
