import type { OpenPublisher } from '../../src/index.ts'

/** A broker to publish to, by our publisher and by its client alone. */
export interface RelaySide extends AsyncDisposable {
  readonly open: OpenPublisher
  /** Publishes so many bodies by the client alone, and waits until all are confirmed. */
  publishBare(body: Buffer, count: number): Promise<unknown>
}
