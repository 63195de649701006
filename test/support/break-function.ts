import type pg from 'pg'
import { onTestFinished } from 'vitest'

/** Puts a fault into a function of the log, for the rest of the test. */
export async function breakFunction(
  pool: pg.Pool,
  name: string,
  text: string,
  fault: string,
): Promise<void> {
  const { rows } = await pool.query<{ definition: string }>(
    `select pg_get_functiondef(format('tidemark.%s', $1::text)::regproc) as definition`,
    [name],
  )
  const definition = rows[0]?.definition ?? ''
  if (!definition.includes(text)) throw new Error(`"${text}" is not in ${name}: ${definition}`)
  onTestFinished(async () => {
    await pool.query(definition)
  })
  await pool.query(definition.replaceAll(text, () => fault))
}
