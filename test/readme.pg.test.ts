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
    const readme = await readFile('README.md', 'utf8')
    const program = /<!-- program.*?-->\n```ts\n(.*?)```/s.exec(readme)?.[1] ?? ''
    expect(program.split('\n').length).toBeGreaterThan(20)

    const folder = await mkdtemp(join(import.meta.dirname, '.readme-'))
    try {
      const entry = join(import.meta.dirname, '../src/index.ts')
      const file = join(folder, 'program.ts')
      await writeFile(file, program.replace("from 'tidemark'", `from '${entry}'`))
      const { stdout } = await promisify(execFile)(process.execPath, [file], {
        env: { ...process.env, DATABASE_URL: database.connectionString },
      })
      expect(stdout).toMatch(/status: 'paid',\s+cents: 4200n/)
    } finally {
      await rm(folder, { recursive: true })
      await dropSlots()
    }
  },
)

/** A worker that stops leaves its slot, for the next one. */
async function dropSlots(): Promise<void> {
  await database.pool.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1',
    [database.name],
  )
}
