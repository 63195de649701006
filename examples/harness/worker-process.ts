import { runWorker, silentLogger, type WorkerOptions } from '../../src/index.ts'

/**
 * Runs a worker as a process of its own, until it is asked to end or the process that started it is gone.
 * `DATABASE_URL` names the database. It says `started` once its code is loaded, and warnings on standard error.
 */
export async function runWorkerProcess(
  definitions: Omit<WorkerOptions, 'connectionString' | 'logger'>,
): Promise<void> {
  const stop = new AbortController()
  const end = () => stop.abort()
  // Ctrl-C reaches this process too. It goes on until the one that started it has settled everything.
  process.on('SIGINT', () => {})
  process.once('SIGTERM', end)
  process.stdin.once('close', end).resume()
  process.stdout.write('started\n')
  await runWorker(
    {
      connectionString: process.env.DATABASE_URL ?? '',
      logger: {
        ...silentLogger,
        error: (fields, message) => console.error(`${message} ${describe(fields)}`),
      },
      // Workers die all the time here: what they leave behind is not to wait for ten seconds.
      jobTakeoverMs: 1_000,
      ...definitions,
    },
    stop.signal,
  )
  process.stdin.destroy()
}

function describe(fields: object): string {
  const error = (fields as { readonly err?: unknown }).err
  return error instanceof Error ? error.message : ''
}
