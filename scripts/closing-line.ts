import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * Prints the plain closing line `N passed, N failed, N skipped`. A skipped test is named, with the missing part
 * in its name; with `BERTH_REQUIRE_PARTS=1` (continuous integration, which installs every part) it is a failure.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const failures: string[] = [];
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const error of module.errors())
        failures.push(`${module.relativeModuleId}: ${firstLine(error.message)}`);
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'pending') continue;
        count[state] += 1;
        if (state === 'failed') {
          const why = firstLine(errors[0]?.message ?? '');
          failures.push(`${module.relativeModuleId} › ${test.fullName}: ${why}`);
        }
        if (state === 'skipped') console.log(`skipped: ${module.relativeModuleId} › ${test.fullName}`);
      }
    }
    count.failed += unhandled.length;
    // What fails outside of every test (the start of the database, say) is in none of these lists.
    if (reason !== 'passed' && count.failed === 0) count.failed = 1;
    if (process.env['BERTH_REQUIRE_PARTS'] === '1' && count.skipped > 0) {
      console.log('A part that a test needs is missing on this machine; here that is a failure.');
      process.exitCode = 1;
    }
    // Again at the end, in one line each: of a long record often only the last lines are kept.
    for (const failure of failures) console.log(`failed: ${failure}`);
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!.slice(0, 300);
}
