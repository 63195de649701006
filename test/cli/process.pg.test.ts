import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createStore,
  decider,
  event,
  migrate,
  processManager,
  reject,
  runWorker,
} from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd } from './slots.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

const Asked = event('work.asked').v(1, z.object({ id: z.string() }))
const Done = event('work.done').v(1, z.object({ id: z.string() }))

const Work = decider('work', {
  events: [Done],
  initial: () => null,
  evolve: { 'work.done': () => null },
  commands: { carryOut: (_, id: string) => Done({ id }), undo: () => reject('not-now') },
})

/** What fails when it is aborted, and cannot be undone. */
const works = processManager('works', {
  events: [Asked, Done],
  deciders: [Work],
  id: (e) => e.data.id,
  starts: ['work.asked'],
  from: 'start',
  initial: () => null,
  on: {
    'work.asked': (_, e, act) =>
      act.command(Work, e.data.id, 'carryOut', e.data.id, {
        compensate: act.command(Work, e.data.id, 'undo'),
      }),
  },
})

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({
    'tidemark.config.ts': `export default { connectionString: process.env.DATABASE_URL }`,
  })
  await migrate({ connectionString: database.connectionString })
})
afterAll(() => project[Symbol.asyncDispose]())

const run = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

test('lists, shows, aborts, retries and settles instances', { timeout: 180_000 }, async () => {
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [Asked, Done] })
  const worker = inBackground((signal) =>
    runWorker({ connectionString, processes: [works], seal: false }, signal),
  )
  const untilState = (state: string, tries: number) =>
    until(`instance w1 to be ${state}`, async (saw) => {
      const found = await store.processes.show(works, 'w1').catch(() => undefined)
      saw(found)
      const refused = found?.history.filter(({ told }) => told.type.endsWith('command-rejected'))
      return (found?.state === state && refused?.length === tries) || undefined
    })
  try {
    expect((await run('process', 'list')).stdout).toBe('no instances\n')
    await store.append('asked-w1', Asked({ id: 'w1' }))
    await until('the work to be done', async () => {
      const found = await store.processes.show(works, 'w1').catch(() => undefined)
      return found?.steps[0]?.state === 'succeeded' || undefined
    })
    expect((await run('process', 'settle', 'works', 'w1', '--reason', 'x')).code).toBe(4)
    expect((await run('process', 'retry', 'works', 'w1')).code).toBe(4)
    expect((await run('process', 'abort', 'works', 'w1')).code).toBe(2)

    const aborted = await run('process', 'abort', 'works', 'w1', '--reason', 'customer called')
    expect(aborted).toMatchObject({ code: 0, stdout: 'instance "w1" is to fail\n' })
    await untilState('stuck', 1)
    const list = await run('process', 'list', 'works', '--state', 'stuck')
    expect(list.stdout).toMatch(/│ works +│ w1 │ stuck │ \d+ +│ .* │ customer called │/)
    expect((await run('process', 'list', '--state', 'completed')).stdout).toBe('no instances\n')
    expect((await run('status')).stdout).toContain(
      'process "works" has 1 stuck: `tidemark process list works --state stuck` shows them',
    )
    const shown = (await run('process', 'show', 'works', 'w1')).stdout
    expect(shown).toContain('process "works", instance "w1": stuck (customer called)')
    expect(shown).toContain('command undo of work-w1 (undoes): rejected (not-now)')
    const json = JSON.parse((await run('process', 'show', 'works', 'w1', '--json')).stdout)
    expect(json).toMatchObject({
      state: 'stuck',
      steps: [{ state: 'succeeded' }, { state: 'rejected' }],
    })

    const retried = await run('process', 'retry', 'works', 'w1')
    expect(retried).toMatchObject({ code: 0, stdout: 'instance "w1" is to be tried again\n' })
    await untilState('stuck', 2)
    expect((await run('process', 'settle', 'works', 'w1')).code).toBe(2)
    const settled = await run('process', 'settle', 'works', 'w1', '--reason', 'undone by anna')
    expect(settled).toMatchObject({ code: 0, stdout: 'instance "w1" is to go on undoing\n' })
    await untilState('compensated', 2)
    expect((await run('process', 'show', 'works', 'w1')).stdout).toContain(
      'command undo of work-w1 (undoes): settled (undone by anna)',
    )
    for (const args of [
      ['process', 'show', 'works', 'w2'],
      ['process', 'show', 'other', 'w1'],
      ['process', 'abort', 'works', 'w1', '--reason', 'late'],
    ]) {
      expect((await run(...args)).code, args.join(' ')).toBe(4)
    }
  } finally {
    await worker.stop()
  }
})
