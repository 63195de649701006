import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createSealedLog, type SealedLog } from './sequencer/integrity/sealed-log.ts'
import { append, sequenceNow } from './sequencer/ledger.ts'

const oddStrings = [
  'é 😀 \u2028 \u007f',
  'quotes " \\ / and \b \f \n \r \t \u0001 \u001f',
  '',
  '{"a": [1, 2]}',
  'NULL',
]

/** Values whose texts are easily got wrong. */
const oddEvents = oddStrings.map((text, index) => ({
  type: `type-${text}`,
  data: { [text]: text, longer: null, n: [1, 1.5, -0, 1e21, 1e-7], b: true, a: { zz: 1, b: 2 } },
  metadata: { userId: text },
  tags: oddStrings.slice(index),
}))

/** Runs the program of docs/integrity.md. @returns what it prints. */
async function recompute({ database }: SealedLog): Promise<string> {
  const page = await readFile('docs/integrity.md', 'utf8')
  const program = /<!-- program.*?-->\n```js\n(.*?)```/s.exec(page)?.[1] ?? ''
  expect(program.split('\n').length).toBeGreaterThan(20)
  const folder = await mkdtemp(join(import.meta.dirname, '.integrity-'))
  try {
    const file = join(folder, 'program.mjs')
    await writeFile(file, program)
    const env = { ...process.env, DATABASE_URL: database.connectionString }
    return (await promisify(execFile)(process.execPath, [file], { env })).stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the program of docs/integrity.md computes the same chain from the view alone', async () => {
  await using log = await createSealedLog()
  for (const [index, event] of oddEvents.entries()) await append(log.pool, `odd-${index}`, [event])
  await append(log.pool, 'odd-é\\"', [
    { type: 'noted', data: '1.0', metadata: {} },
    { type: 'noted', data: null },
  ])
  await log.pool.query(/* sql */ `
    insert into tidemark.events (stream_id, version, event_id, type, data, tags, recorded_at)
    values
      ('raw-1', 1, gen_random_uuid(), 'noted', '{"n": [1.0, 1.50, 12345678901234567890123, 1e-9]}',
        array['a', null, 'NULL', '', 'a,b', '{}'], '4713-01-01 00:00:00.000001+00 BC'),
      ('raw-1', 2, gen_random_uuid(), 'noted', '[]', '{{a,b},{c,d}}', '294276-12-31 23:59:59.999999+00'),
      ('raw-1', 3, gen_random_uuid(), 'noted', '0', '{}', 'infinity'),
      ('raw-1', 4, gen_random_uuid(), 'noted', '0', '{}', '-infinity')`)
  const head = await sequenceNow(log.pool)
  await log.seal(4)
  expect(await recompute(log)).toBe(
    `${head} events, ${Math.ceil(Number(head - 12n) / 4) + 3} seals, 0 wrong\n`,
  )
  expect(await log.faults()).toEqual([])
})

test('the program of docs/integrity.md finds what was changed', async () => {
  await using log = await createSealedLog()
  await log.tamper(`update tidemark.events set data = '{"n": 0.0}' where data = '{"n": 0}'`)
  expect(await recompute(log)).toMatch(/^the seal at position 5 does not follow\n.* 3 wrong\n$/s)
})
