import { BerthError } from '../domain/errors/index.ts';
import type { InboxRequest } from '../domain/inbox.ts';
import { newId } from '../domain/ids.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Forge } from '../domain/ports/forge.ts';
import { mayGoOn } from '../domain/resume.ts';
import { everyRun } from '../domain/run-filter.ts';
import type { RunState } from '../domain/run-state.ts';
import { statusOf } from '../domain/run-status.ts';
import { isOutcome } from '../domain/status.ts';
import type { DoctorView, ProposalView, RunView, TaskView } from '../domain/views.ts';
import { readStanding } from '../limits/read-standing.ts';
import type { Mirror } from '../git/mirror.ts';
import type { Database } from '../store/database.ts';
import type { Redact } from '../store/events/prepare-append.ts';
import { readEvents } from '../store/events/read-events.ts';
import { findProject } from '../store/runs/find-project.ts';
import { createTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import { postInbox } from '../store/runs/post-inbox.ts';
import { readRun } from '../store/runs/read-run.ts';
import { readTask } from '../store/runs/read-task.ts';
import type { RunRecord } from '../store/runs/run-record.ts';
import { assertWithinCeiling, unconfigured } from './ceiling.ts';
import { settingsOfRepository, type PinnedConfig } from './equip/settings.ts';
import { findRun } from './find-run.ts';
import { locate, locators } from './locate.ts';
import { followRun } from './follow-run.ts';
import { gatesOf } from './gates.ts';
import { projectSnapshotsOf } from './project-snapshots.ts';
import type { LiveHub } from './live-hub.ts';
import { liveReading } from './live-reading.ts';
import { checkedTaskText, projectName } from './new-task.ts';
import { projectRun, readState } from './own-run.ts';
import { runMaking } from './making.ts';
import { runReading } from './reading.ts';
import { runViews } from './run-view-cache.ts';
import { settled, takenIn } from './settled.ts';
import { eventView, proposalView, runView } from './views.ts';
import { workingTrees } from './working-tree.ts';

export interface ControlPlaneParts {
  readonly db: Database;
  readonly hub: LiveHub;
  readonly redact: Redact;
  /** Tasks pin what it says when they are made; nothing is configured without it. */
  readonly config?: PinnedConfig;
  /** The repository's address in its one form, after a first look at it; throws `REPO_*`. */
  checkedRepository(repository: string): Promise<string>;
  forgeOf(projectId: string): Promise<Forge>;
  /** Berth's own copy of a repository. */
  mirrorOf(repository: string, signal: AbortSignal): Promise<Mirror>;
  /** Unified diff of a run's proposal, or of its last checkpoint, against the base. */
  diffOf(state: RunState): Promise<string>;
  doctor(): Promise<DoctorView>;
}

/** What the API asks; see the port for its contract. */
export function createControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { db } = parts;
  const config = parts.config ?? unconfigured;
  // One for all that is shown of runs: what somebody looked at before is not folded from its beginning again.
  const views = runViews(db);

  const viewOf = async (record: RunRecord): Promise<RunView> => {
    const [view, standing] = await Promise.all([
      views.at(record.id, record.head.seq),
      readStanding(db, config.current().config, record.id),
    ]);
    return { ...runView(view.run, standing.project, standing), status: record.status };
  };

  /** Posts to the run's inbox and waits, within a bound, until its owner has taken it in. */
  const ask = async (text: string, by: string, request: InboxRequest): Promise<RunView> => {
    const { id: runId } = await findRun(db, text);
    await postInbox(db, { id: newId('i', db.clock.nowMs()), runId, by, request });
    return viewOf(await takenIn(db, runId));
  };

  const proposalOf = async (
    text: string,
  ): Promise<{ view: ProposalView; body: string; forge: Forge; number: number | null }> => {
    const record = await findRun(db, text);
    const [state, task] = await Promise.all([readState(db, record.id), readTask(db, record.taskId)]);
    const forge = await parts.forgeOf(record.projectId);
    const number = state.pullRequest?.number ?? null;
    const pr = number === null ? null : await forge.getPullRequest(number);
    const view = proposalView(state, task.project.name, pr, forge.fetchUrl);
    if (view === null) throw new BerthError('NOT_FOUND', `The run ${record.id} has made no proposal.`);
    return { view, body: pr?.body ?? '', forge, number };
  };

  const withPullRequest = async (text: string): Promise<{ forge: Forge; number: number }> => {
    const { forge, number } = await proposalOf(text);
    if (number === null) throw new BerthError('CONFLICT', 'This proposal has no pull request.');
    return { forge, number };
  };

  const found = locators(db, config);
  const reading = runReading(db, views);
  const making = runMaking({
    db,
    redact: parts.redact,
    config,
    forgeOf: (projectId) => parts.forgeOf(projectId),
    runViewOf: async (id) => viewOf(await readRun(db, id)),
    taskViewOf: (id) => taskView(db, id),
  });
  return {
    ...reading,
    ...workingTrees(parts),
    ...making,
    ...liveReading(db, parts.hub),
    gates: gatesOf(db),
    snapshots: projectSnapshotsOf(db),
    locate: (kind, text, visible) => locate(found, kind, text, visible),
    async projectOfRepository(repository) {
      const project = await findProject(db, await parts.checkedRepository(repository));
      return project?.id ?? null;
    },
    async createTask(request) {
      const text = checkedTaskText(request.text);
      const repository = await parts.checkedRepository(request.repository);
      const revision = config.current();
      const settings = settingsOfRepository(revision, repository);
      assertWithinCeiling(settings, request.options.limits);
      const project = await ensureProject(db, { name: projectName(repository), repository });
      const { taskId, runId } = await createTask(db, {
        project,
        text,
        ...(request.title === undefined ? {} : { title: request.title }),
        origin: { url: null, ...request.origin },
        ...(request.owner === undefined ? {} : { owner: request.owner }),
        options: request.options,
        configRevision: revision.number,
        priority: settings.priority,
        ...(request.idempotencyKey === null ? {} : { idempotencyKey: request.idempotencyKey }),
        projection: projectRun,
        redact: parts.redact,
      });
      return { task: await taskView(db, taskId), run: await viewOf(await readRun(db, runId)) };
    },
    getTask: (id) => taskView(db, id),
    getRun: async (id) => viewOf(await findRun(db, id)),
    async listRuns({ visible, state, project, cursor, limit }) {
      const filter = {
        ...everyRun,
        states: state === undefined ? [] : [state],
        projects: project === undefined ? [] : [project],
      };
      return reading.listRunRows({
        visible,
        filter,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
    },
    async listEvents(id, { afterSeq, limit, types }) {
      const { id: runId } = await findRun(db, id);
      const entries = await readEvents(db, runId, {
        afterSeq,
        limit,
        ...(types === undefined ? {} : { types }),
      });
      return entries.map(eventView);
    },
    follow: (id, afterSeq, signal) => followRun(db, parts.hub, id, afterSeq, signal),
    async output(id, callId) {
      const { id: runId } = await findRun(db, id);
      const entries = await readEvents(db, runId, { types: ['command.ended', 'tool.ended'] });
      const entry = entries.find((one) => 'id' in one.data && one.data.id === callId);
      if (entry === undefined)
        throw new BerthError('NOT_FOUND', `The run ${runId} has no finished call ${callId}.`);
      if (entry.type === 'command.ended')
        return entry.data.output === null ? empty() : db.blobs.stream(entry.data.output);
      if (entry.type !== 'tool.ended') return empty();
      return entry.data.full === null ? once(entry.data.text) : db.blobs.stream(entry.data.full);
    },
    diff: async (id) => parts.diffOf(await readState(db, (await findRun(db, id)).id)),
    async cancel(id, by) {
      const record = await findRun(db, id);
      if (isOutcome(record.status.state)) {
        throw new BerthError('CONFLICT', `The run ${record.id} is over: ${record.status.state}.`);
      }
      await ask(record.id, by, { kind: 'cancel' });
      return viewOf(await settled(db, record.id, (run) => isOutcome(run.status.state)));
    },
    pause: (id, by, reason) => ask(id, by, { kind: 'pause', reason }),
    async resume(id, by, limits) {
      const record = await findRun(db, id);
      const state = await readState(db, record.id);
      if (state.ended !== null && !mayGoOn(state)) {
        throw new BerthError('CONFLICT', `The run ${record.id} is over: ${state.ended.outcome}.`, {
          next: 'Start it again with `berth run`.',
        });
      }
      if (state.gate !== null && state.paused === null) {
        const { reason, next } = statusOf(state);
        throw new BerthError('CONFLICT', `${reason}.`, next === null ? {} : { next });
      }
      const { created } = state;
      if (created !== null) {
        const pinned = await config.revision(created.configRevision ?? 0);
        assertWithinCeiling(settingsOfRepository(pinned, created.repository), limits);
        assertWithinCeiling(settingsOfRepository(config.current(), created.repository), limits);
      }
      return ask(record.id, by, { kind: 'resume', limits });
    },
    async steer(id, by, text, mode) {
      const { id: runId, status } = await findRun(db, id);
      if (isOutcome(status.state))
        throw new BerthError('CONFLICT', `The run ${runId} is over: ${status.state}.`);
      const messageId = newId('m', db.clock.nowMs());
      await postInbox(db, { id: messageId, runId, by, request: { kind: 'message', text, mode } });
      return { messageId };
    },
    async listProposals({ visible, project, limit }) {
      const page = await listRuns(db, {
        filter: { visible, ...(project === undefined ? {} : { project }) },
        limit,
      });
      const views: ProposalView[] = [];
      for (const record of page.runs) {
        const state = await readState(db, record.id);
        if (state.proposal === null) continue;
        views.push((await proposalOf(record.id)).view);
      }
      return views;
    },
    async getProposal(id) {
      const { view, body } = await proposalOf(id);
      return { ...view, body };
    },
    proposalDiff: async (id) => parts.diffOf(await readState(db, (await findRun(db, id)).id)),
    async mergeProposal(id, by) {
      const { forge, number } = await withPullRequest(id);
      await forge.merge(number, { by });
      return (await proposalOf(id)).view;
    },
    async closeProposal(id, _by) {
      const { forge, number } = await withPullRequest(id);
      await forge.close(number);
      return (await proposalOf(id)).view;
    },
    doctor: () => parts.doctor(),
  };
}

async function taskView(db: Database, taskId: string): Promise<TaskView> {
  const task = await readTask(db, taskId);
  const { runs } = await listRuns(db, { filter: { taskId }, limit: 100 });
  const newest = runs[0];
  if (newest === undefined) throw new BerthError('NOT_FOUND', `The task ${taskId} has no run.`);
  return {
    schema: 'berth.task/v1',
    id: task.id,
    title: task.title,
    text: task.text,
    project: task.project.name,
    origin: task.origin,
    status: newest.status,
    branch: task.branch,
    runs: runs.map((run) => run.id),
    proposal: newest.pullRequest === null ? null : newest.id,
    createdAt: task.createdAt,
  };
}

async function* empty(): AsyncGenerator<Uint8Array> {}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
