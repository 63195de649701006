import pg from 'pg'

/** Runs `use` with a connection of its own, and closes it. */
export async function withClient<T>(
  connectionString: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: 'tidemark test support' })
  client.on('error', () => {}) // the next query reports a lost connection
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Runs one statement on a connection of its own. */
export async function queryOnce<Row extends pg.QueryResultRow>(
  connectionString: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return withClient(connectionString, async (client) => {
    const { rows } = await client.query<Row>(text, [...values])
    return rows
  })
}
