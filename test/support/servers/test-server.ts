/** A PostgreSQL server that the tests of one run share. */
export interface TestServer {
  /** Connects a superuser to the database `postgres`, or to the one that the environment names. */
  readonly connectionString: string
  readonly source: 'url' | 'docker' | 'embedded'
  /** As the server's `server_version_num`: 180004 is 18.4. */
  readonly version: number
  /** Leaves no process and no data behind; a server that we did not start goes on. */
  stop(): Promise<void>
  /** Only where the server is ours and keeps its address. */
  restart?(mode: 'fast' | 'immediate'): Promise<void>
}
