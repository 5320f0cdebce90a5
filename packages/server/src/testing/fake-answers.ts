import type { DoctorCheck } from '../domain/doctor.ts';
import type { DoctorView } from '../domain/views.ts';

/** The change every scripted run makes. */
export const fakeDiff = [
  'diff --git a/src/date.ts b/src/date.ts',
  '--- a/src/date.ts',
  '+++ b/src/date.ts',
  '@@ -1,2 +1,3 @@',
  ' const zone = 0;',
  '+const offset = zone;',
  '-const old = 1;',
  '',
].join('\n');

const check = (
  id: string,
  state: DoctorCheck['state'],
  sentence: string,
  fix: string | null,
): DoctorCheck => ({ id, state, sentence, fix, ms: 3 });

export const fakeDoctor: DoctorView = {
  schema: 'berth.doctor/v1',
  ok: true,
  checks: [
    check('sandbox-driver', 'pass', 'bubblewrap 0.8.0 isolates', null),
    check('cgroups', 'warn', 'No cgroup is writable; limits are set by rlimits.', 'Run as root.'),
  ],
};
