import { expect, test } from 'vitest'
import { toVersionResult } from './version-result.ts'

const allPassed = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: [{}, {}],
}

const run = (exitCode: number | null, report: Partial<typeof allPassed> | undefined) =>
  toVersionResult('16', {
    exitCode,
    seconds: 7,
    ...(report && { report: JSON.stringify({ ...allPassed, ...report }) }),
  })

test('counts files and tests', () => {
  expect(run(0, {})).toEqual({
    version: '16',
    passed: true,
    counts: { files: 2, passed: 3, failed: 0, skipped: 3 },
    seconds: 7,
  })
})

test.for([
  ['a test failed', 1, { numFailedTests: 1 }],
  ['an error came outside of tests', 1, {}],
  ['vitest was killed', null, {}],
  ['no test ran', 0, { numPassedTests: 0 }],
  ['vitest wrote no report', 0, undefined],
] as const)('a version has not passed when %s', ([, exitCode, report]) => {
  expect(run(exitCode, report)).toMatchObject({ passed: false })
})
