import { isVisible, type VisibleProjects } from '../domain/access.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Located, ObjectKind } from '../domain/ports/control-plane.ts';
import type { Database } from '../store/database.ts';
import { findCampaign } from '../store/campaigns/campaigns.ts';
import { projectOfDelivery } from '../store/deliveries/deliveries.ts';
import { findProject } from '../store/runs/find-project.ts';
import { readPlace } from '../store/runs/read-place.ts';
import { readTask } from '../store/runs/read-task.ts';
import { findRun, isWholeId } from './find-run.ts';
import { findGate } from './gates.ts';

/** Finds one kind of object among what may be seen; null: there is none. */
export type Locator = (text: string, visible: VisibleProjects) => Promise<Located | null>;

/** How each kind of object is found. */
export function locators(
  db: Database,
  config: Pick<CurrentConfig, 'current'>,
): Readonly<Record<ObjectKind, Locator>> {
  const run: Locator = async (text, visible) => {
    const place = isWholeId(text) ? await readPlace(db, text) : null;
    if (place !== null && isVisible(visible, place.projectId)) return place;
    const { id, projectId, ownerId } = await findRun(db, text, visible);
    return { id, projectId, ownerId };
  };
  /** Something of the configuration that is for one project. */
  const ofProject = async (
    text: string,
    among: readonly { readonly name: string; readonly project: string }[],
    visible: VisibleProjects,
  ): Promise<Located | null> => {
    const { projects } = config.current().config;
    const name = among.find((one) => one.name === text)?.project;
    const repository = projects.find((project) => project.name === name)?.repository;
    const project = repository === undefined ? null : await findProject(db, repository, visible);
    return project === null ? null : { id: text, projectId: project.id, ownerId: null };
  };
  return {
    run,
    proposal: run,
    async task(text, visible) {
      const task = await readTask(db, text);
      if (!isVisible(visible, task.projectId)) return null;
      return { id: task.id, projectId: task.projectId, ownerId: task.owner };
    },
    async project(text, visible) {
      const project = await findProject(db, text, visible);
      return project === null ? null : { id: project.id, projectId: project.id, ownerId: null };
    },
    async gate(text, visible) {
      // Its id names its run: where that is not found, what was asked for is still a gate.
      const found = await findGate(db, text, visible).catch((error: unknown) => {
        if (error instanceof BerthError && error.code === 'NOT_FOUND') return null;
        throw error;
      });
      if (found === null) return null;
      const { record, gate } = found;
      return { id: gate.id, projectId: record.projectId, ownerId: record.ownerId };
    },
    campaign: (text, visible) => findCampaign(db.sql, text, visible),
    async schedule(text, visible) {
      return ofProject(text, config.current().config.schedules, visible);
    },
    trigger: (text, visible) => ofProject(text, config.current().config.triggers, visible),
    async delivery(text, visible) {
      const found = await projectOfDelivery(db, text);
      if (found === null) return null;
      const { projectId } = found;
      // What belongs to no project is only there for those who see all.
      const isThere = projectId === null ? visible === 'all' : isVisible(visible, projectId);
      return isThere ? { id: text, projectId, ownerId: null } : null;
    },
  };
}

/** What lists the objects of a kind, where it is not `berth runs`. */
const lists: Readonly<Partial<Record<ObjectKind, string>>> = {
  project: 'berth projects',
  task: 'berth tasks',
  delivery: 'berth deliveries',
  trigger: 'berth triggers',
};

/** @throws BerthError `NOT_FOUND`, `AMBIGUOUS_ID` */
export async function locate(
  found: Readonly<Record<ObjectKind, Locator>>,
  kind: ObjectKind,
  text: string,
  visible: VisibleProjects,
): Promise<Located> {
  const object = await found[kind](text, visible);
  if (object === null) {
    const next = lists[kind];
    throw new BerthError(
      'NOT_FOUND',
      `There is no ${kind} ${text}.`,
      next === undefined ? {} : { next: `List what there is with \`${next}\`.` },
    );
  }
  return object;
}
