import { queryOnce } from '../query-once.ts'

/** Asks a server for its version, as in 180004 for 18.4. */
export async function readServerVersion(connectionString: string): Promise<number> {
  const [row] = await queryOnce<{ version: number }>(
    connectionString,
    /* sql */ `select current_setting('server_version_num')::integer as version`,
  )
  if (row === undefined) throw new Error('the server told no version')
  return row.version
}
