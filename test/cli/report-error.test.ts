import { expect, test } from 'vitest'
import { reportError } from '../../src/cli/report-error.ts'
import { TidemarkError } from '../../src/core/tidemark-error.ts'
import { fakeHost } from './fake-host.ts'

const behind = new TidemarkError('PROJECTION_BEHIND', 'too far\nbehind', {
  details: { projection: 'orders', version: 2, lag: 12n },
  cause: new Error('the reason', { cause: new Error('the deepest reason') }),
})

function report(error: unknown, ...argv: string[]) {
  const { host, stderr } = fakeHost('.')
  const code = reportError(error, argv, host)
  return { code, stderr: stderr() }
}

test('tells of an error in one line, whatever its message', () => {
  expect(report(behind)).toEqual({
    code: 4,
    stderr: 'error PROJECTION_BEHIND: too far behind\n',
  })
})

test('adds stack traces and causes when asked for', () => {
  const { stderr } = report(behind, '--verbose')
  expect(stderr).toMatch(/^error PROJECTION_BEHIND: too far behind\nTidemarkError: too far/)
  expect(stderr).toContain('\ncaused by: Error: the reason\n    at ')
  expect(stderr).toContain('\ncaused by: Error: the deepest reason\n    at ')
})

test('ends when an error is its own cause', () => {
  const loop = new Error('loop')
  loop.cause = loop
  expect(report(loop, '--verbose').stderr).toContain('Error: loop')
})

test('writes JSON with the details, bigints as strings', () => {
  expect(JSON.parse(report(behind, '--json').stderr)).toEqual({
    error: {
      code: 'PROJECTION_BEHIND',
      message: 'too far behind',
      details: { projection: 'orders', version: 2, lag: '12' },
    },
  })
})

test('reports what is no error at all', () => {
  expect(report('just text')).toEqual({
    code: 1,
    stderr: 'error UNEXPECTED: just text (run it again with --verbose for the stack trace)\n',
  })
})
