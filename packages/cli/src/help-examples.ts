import type { Command } from 'commander';

/** What stands beneath `--help` of each command: lines somebody can type. */
const examples: Readonly<Record<string, readonly string[]>> = {
  up: ['berth up', 'berth up --port 8000 --data-dir /srv/berth'],
  serve: [
    'DATABASE_URL=postgres://… berth serve --parts api --listen 127.0.0.1:7420',
    'DATABASE_URL=postgres://… berth serve --parts worker --workers 16',
  ],
  login: [
    'berth login --server https://berth.example.org',
    'berth login --server https://berth.example.org --name team --token-file token',
  ],
  logout: ['berth logout', 'berth logout --all --revoke'],
  whoami: ['berth whoami', 'berth whoami --server local'],
  context: ['berth context', 'berth context use berth.example.org', 'berth context use local'],
  'context use': ['berth context use berth.example.org', 'berth context use local'],
  'context remove': ['berth context remove berth.example.org'],
  tokens: ['berth tokens', 'berth tokens create --purpose laptop'],
  'tokens list': ['berth tokens list --all'],
  'tokens create': [
    'berth tokens create --purpose laptop',
    'berth tokens create --purpose "nightly pipeline" --service-account ci --project web \\',
    '  --permission task.create --permission run.read --days 90',
  ],
  'tokens revoke': ['berth tokens revoke k-01hx3v5k9qz2m4np'],
  api: [
    'berth api /runs -f limit=5',
    'berth api POST /tasks -f repository=https://host/team/lib.git -f text="fix it"',
  ],
  config: ['berth config', 'berth config check berth.yaml'],
  'config show': ['berth config show --json=revision,sources'],
  'config check': ['berth config check', 'berth config check team/berth.yaml'],
  'config export': ['berth config export > berth.yaml'],
  'config revisions': ['berth config revisions'],
  'config path': ['berth config path'],
  projects: ['berth projects', 'berth projects view web'],
  'projects list': ['berth projects list --json=name,repository'],
  'projects view': ['berth projects view web'],
  'projects snapshots': ['berth projects snapshots list web'],
  'projects snapshots list': ['berth projects snapshots list web --json'],
  'projects snapshots clear': ['berth projects snapshots clear web --yes'],
  'projects add': ['berth projects add web https://git.example.org/team/web.git'],
  audit: ['berth audit --by anna@example.org --since 7d', 'berth audit verify'],
  'audit list': ['berth audit list --result denied --project web', 'berth audit list --action run.cancel'],
  'audit verify': ['berth audit verify', 'berth audit verify --run r-01hx'],
  'audit export': ['berth audit export > record.jsonl'],
  'egress explain': [
    'berth egress explain api.example.org --project web',
    'berth egress explain api.example.org:443 --method POST --path /v1/items --step agent',
  ],
  usage: ['berth usage --by project,model --since 30d', 'berth usage --budgets'],
  tasks: ["berth tasks --filter 'status:failed by:me age:<7d'", 'berth tasks view latest'],
  'tasks list': ["berth tasks list --filter 'status:failed code:LIMIT_COST by:me age:<7d'"],
  'tasks view': ['berth tasks view latest'],
  'runs verify': ['berth runs verify latest'],
  retry: ['berth retry', 'berth retry latest --newest-base --text "keep the public API as it is"'],
  fork: ['berth fork latest --at 120 --text "try it without the cache"'],
  replay: ['berth replay latest --at 120'],
  terminal: ['berth terminal', 'berth runs terminal latest'],
  gates: ['berth gates', 'berth approve latest'],
  approve: ['berth approve latest'],
  refuse: ['berth refuse latest'],
  proposals: ['berth proposals', 'berth proposals show', 'berth proposals merge --yes'],
  doctor: ['berth doctor', 'berth doctor --json'],
  completion: [
    'eval "$(berth completion bash)"',
    'berth completion fish > ~/.config/fish/completions/berth.fish',
  ],
};

/** The lines of a command's path, such as `tokens create`; a run's commands are the same under `runs`. */
export function examplesOf(path: string): readonly string[] {
  return examples[path] ?? examples[path.replace(/^runs /, '')] ?? [];
}

/** Paths that have examples; a test holds that each is a command. */
export const examplePaths: readonly string[] = Object.keys(examples);

/** Adds them beneath the help of every command that is there. */
export function addExamples(parent: Command, above = ''): void {
  for (const command of parent.commands) {
    const path = `${above}${command.name()}`;
    const lines = examplesOf(path);
    if (lines.length > 0) {
      const title = lines.length === 1 ? 'Example' : 'Examples';
      command.addHelpText('after', `\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
    }
    addExamples(command, `${path} `);
  }
}
