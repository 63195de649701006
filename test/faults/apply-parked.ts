import { createStore } from '../../src/index.ts'
import { patient } from './definitions/patient.ts'

/**
 * Has mended code apply all that is parked, while workers go on. What it refuses all the same stays.
 *
 * @throws the signal's reason when aborted.
 */
export async function applyParked(connectionString: string, signal: AbortSignal): Promise<void> {
  await using store = await createStore({ connectionString })
  for (;;) {
    signal.throwIfAborted()
    const { applied } = await store.parked.retry(patient(false), { signal })
    // A key of which more is parked meanwhile comes again.
    if (applied === 0) return
  }
}
