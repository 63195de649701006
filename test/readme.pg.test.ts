import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'
import { useDatabase } from './support/database.ts'

const database = useDatabase({ template: false })

test.skipIf(inject('postgres').walLevel !== 'logical')(
  'the program of the README runs as it stands and prints the order as paid',
  async () => {
    try {
      expect(await runProgram('program')).toMatch(/status: 'paid',\s+cents: 4200n/)
    } finally {
      await dropSlots()
    }
  },
)

test('the decider of the README runs as it stands and prints events and states', async () => {
  const printed = await runProgram('deciders')
  expect(printed).toMatch(/type: 'order\.paid'/)
  expect(printed).toMatch(/{ status: 'paid' } 2n { state: { status: 'open' }, version: 1n }/)
})

/** Runs the block of code that follows a comment of the README, and returns what it prints. */
async function runProgram(comment: string): Promise<string> {
  const readme = await readFile('README.md', 'utf8')
  const block = new RegExp(`<!-- ${comment}.*?-->\\n\`\`\`ts\\n(.*?)\`\`\``, 's')
  const program = block.exec(readme)?.[1] ?? ''
  expect(program.split('\n').length).toBeGreaterThan(20)

  const folder = await mkdtemp(join(import.meta.dirname, '.readme-'))
  try {
    const file = join(folder, 'program.ts')
    await writeFile(
      file,
      program
        .replace("from 'tidemark'", `from '${sourceOf('index.ts')}'`)
        .replace("from 'tidemark/testing'", `from '${sourceOf('testing/index.ts')}'`),
    )
    const { stdout } = await promisify(execFile)(process.execPath, [file], {
      env: { ...process.env, DATABASE_URL: database.connectionString },
    })
    return stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}

function sourceOf(path: string): string {
  return join(import.meta.dirname, '../src', path)
}

/** A worker that stops leaves its slot, for the next one. */
async function dropSlots(): Promise<void> {
  await database.pool.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1',
    [database.name],
  )
}
