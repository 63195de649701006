/** How the tests went on one version. */
export interface VersionResult {
  readonly version: string
  /** Vitest's exit code was 0 and a report says that tests ran. */
  readonly passed: boolean
  /** Null when vitest ended without a report. */
  readonly counts: TestCounts | null
  readonly seconds: number
}

export interface TestCounts {
  readonly files: number
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What is used of the report of vitest's reporter `json`. */
interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly unknown[]
}

/**
 * Judges one run of vitest. The exit code counts too, because errors outside of tests are in no
 * count; and a run of no test shows nothing, so it has not passed.
 *
 * @param report The text that the reporter `json` wrote, undefined when it wrote none.
 */
export function toVersionResult(
  version: string,
  run: { readonly exitCode: number | null; readonly report?: string; readonly seconds: number },
): VersionResult {
  const counts = run.report === undefined ? null : countTests(JSON.parse(run.report))
  const passed = run.exitCode === 0 && counts !== null && counts.failed === 0 && counts.passed > 0
  return { version, passed, counts, seconds: run.seconds }
}

function countTests(report: VitestReport): TestCounts {
  return {
    files: report.testResults.length,
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
