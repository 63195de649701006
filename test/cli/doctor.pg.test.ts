import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { append } from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd, untilStreaming } from './slots.ts'
import { type CliResult, runCli } from './spawn-cli.ts'
import { sumsConfig } from './sums-project.ts'

const database = useDatabase()
dropSlotsAtEnd(database)

function doctor(...args: string[]): Promise<CliResult> {
  const env = { DATABASE_URL: database.connectionString }
  return runCli(['doctor', ...args], { cwd: tmpdir(), env })
}

describe('doctor', () => {
  test('shows every check in a table, then what to do, and exits with 7 on an error', async () => {
    const { code, stdout, stderr } = await doctor()
    expect(code).toBe(7)
    expect(stdout).toMatch(/│ check +│ severity +│ reason/)
    expect(stdout).toMatch(/│ standby +│ ok +│ the server is a primary/)
    expect(stdout).toMatch(/│ leader +│ error +│ no worker leads/)
    const remedies = stdout.split('\n').filter((line) => /^(error|warning) /.test(line))
    expect(remedies).toEqual([
      expect.stringMatching(/^error leader: run `tidemark worker`/),
      expect.stringMatching(/^warning wal-keep-size: set it to less than /),
    ])
    expect(stderr.trim()).toMatch(/^error LOG_UNHEALTHY: no worker leads: .* run `tidemark worker`/)
  })

  test('tells programs the same in JSON', async () => {
    await append(database.pool, 'note-1')
    const { code, stdout, stderr } = await doctor('--json', '--grace', '1')
    expect(code).toBe(7)
    expect(JSON.parse(stdout).findings).toContainEqual({
      check: 'unsequenced',
      severity: 'error',
      reason: expect.stringContaining('more than 1 ms'),
      remedy: expect.stringContaining('tidemark worker'),
    })
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'LOG_UNHEALTHY', details: { errors: 2, check: 'leader' } },
    })
  })

  test('exits with 0 when there are warnings only', async () => {
    const { connectionString, pool } = database
    const sequencer = startSequencer({ connectionString })
    onTestFinished(() => sequencer.stop())
    await untilStreaming(pool)
    const { code, stdout, stderr } = await doctor()
    expect(stderr).toBe('')
    expect(stdout).toMatch(/│ wal-keep-size +│ warning +│/)
    expect(code).toBe(0)
  })

  test('holds the projections of a config against the database', { timeout: 60_000 }, async () => {
    const { connectionString, pool } = database
    const drifted = sumsConfig.replace('count: integer()', 'count: bigint()')
    await using project = await makeProject({
      'tidemark.config.ts': sumsConfig,
      'drifted.config.ts': drifted,
    })
    const settings = { cwd: project.directory, env: { DATABASE_URL: connectionString } }
    const sequencer = startSequencer({ connectionString })
    onTestFinished(() => sequencer.stop())
    await untilStreaming(pool)
    expect((await runCli(['rebuild', 'sums'], settings)).code).toBe(0)
    const fine = await runCli(['doctor'], settings)
    expect(fine.stdout).toMatch(/│ projections +│ ok +│ projection "sums" version 1 has the tables/)
    expect(fine.code).toBe(0)
    const { stdout, code } = await runCli(['doctor', '--config', 'drifted.config.ts'], settings)
    expect(stdout).toContain('error projections: raise `version` in its definition and rebuild')
    expect(code).toBe(7)
    expect((await doctor()).stdout).not.toContain('projections')
  })

  test('exits with 7 where no log is installed, and with 3 where nobody answers', async () => {
    const absent = await doctor('--schema', 'elsewhere')
    expect(absent.stdout).toMatch(/│ log +│ error +│ there is no log in schema "elsewhere"/)
    expect(absent.code).toBe(7)
    const unreachable = await doctor('--database-url', 'postgres://nobody@127.0.0.1:1/none')
    expect(unreachable.stderr).toMatch(/^error CONNECTION_FAILED: /)
    expect(unreachable.code).toBe(3)
  })
})
