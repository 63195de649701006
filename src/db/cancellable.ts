import type pg from 'pg'

/**
 * Has the server end the statement at hand of a client when the signal comes, and whatever it is asked after
 * that not be asked. The work fails then, with 57014 or the signal's reason.
 *
 * @param pool where the server is asked to, from another connection.
 */
export async function cancellable<T>(
  pool: pg.Pool,
  client: pg.ClientBase,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const cancel = () => {
    pool.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => {})
  }
  signal.addEventListener('abort', cancel, { once: true })
  try {
    signal.throwIfAborted()
    return await work()
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
