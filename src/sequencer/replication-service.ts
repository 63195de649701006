import type pg from 'pg'
import { LogicalReplicationService } from 'pg-logical-replication'

/** The parts of the library's service that are not typed as public. */
interface ServiceInternals {
  _client: pg.Client | null
}

/**
 * Makes the library's service so that it leaves what is confirmed, and when, to us, and hears of
 * whatever befalls its connection.
 */
export function replicationService(clientConfig: pg.ClientConfig): LogicalReplicationService {
  const service = new LogicalReplicationService(clientConfig, {
    // The library's own timer confirms what was merely received, and its flow control skips a
    // handler that throws: both stay off.
    acknowledge: { auto: false, timeoutSeconds: 0 },
    flowControl: { enabled: false },
  })
  const onError = (error: Error) => service.emit('error', error)
  hearFromTheStart(service as unknown as ServiceInternals, onError)
  return service
}

/**
 * Listens to the errors of each client from the moment it is made. The library does so only after it
 * has connected, and a server that shuts down may say so in the same breath as that it is ready:
 * that error, which nobody hears, would end the process.
 */
function hearFromTheStart(service: ServiceInternals, onError: (error: Error) => void): void {
  let client = service._client
  Object.defineProperty(service, '_client', {
    get: () => client,
    set: (next: pg.Client | null) => {
      client = next
      next?.on('error', onError)
    },
  })
}
