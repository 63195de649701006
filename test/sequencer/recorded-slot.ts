import type pg from 'pg'

/**
 * The slot from which the ledger is written, by the sequencer's own row.
 *
 * @throws while the sequencer polls.
 */
export async function recordedSlot({ pool }: { readonly pool: pg.Pool }): Promise<string> {
  const { rows } = await pool.query('select slot_name from tidemark.sequencer')
  const name: string | null = rows[0].slot_name
  if (name === null) throw new Error('the ledger is written from no slot: the sequencer polls')
  return name
}
