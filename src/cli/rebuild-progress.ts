import cliProgress from 'cli-progress'
import type { AnyProjection } from '../projections/projection.ts'
import type { RebuildProgress } from '../projections/versions/build-progress.ts'
import { formatCount, formatDuration } from './format.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'

type Progress = Omit<RebuildProgress, 'isIndexing'> & Partial<RebuildProgress>

/** Shows how far something is that reads the log, on stderr. */
export interface ProgressDisplay {
  readonly show: (progress: Progress) => void
  /** Says that a stop was asked for, where somebody is looking. */
  readonly announceStop: () => void
  readonly end: () => void
}

// Often enough to see that it moves, seldom enough for a log that is kept.
const lineIntervalMs = 5_000

/** A bar on a terminal, now and then a line elsewhere, nothing with `--json`. */
export function showProgress(
  host: Pick<Host, 'stderr'>,
  options: GlobalOptions,
  { name, version }: Pick<AnyProjection, 'name' | 'version'>,
  now: () => number = () => performance.now(),
): ProgressDisplay {
  return showTitledProgress(host, options, `${name} version ${version}`, now)
}

/** Does the same under another title. */
export function showTitledProgress(
  host: Pick<Host, 'stderr'>,
  options: GlobalOptions,
  title: string,
  now: () => number = () => performance.now(),
): ProgressDisplay {
  if (options.json === true) return { show: () => {}, announceStop: () => {}, end: () => {} }
  return host.stderr.isTTY
    ? progressBar(host.stderr, title)
    : progressLines(host.stderr, title, now)
}

/** Writes how far a rebuild is: `5,000 of 12,000 (41%), 1,234 events/s, 6.0 s left`. */
export function progressText({ position, head, ...pace }: Progress): string {
  const left = pace.remainingMs === null ? '' : `, ${formatDuration(pace.remainingMs)} left`
  const done = percentOf({ position, head })
  if (pace.isIndexing === true) {
    return `${formatCount(position)} of ${formatCount(head)} (${done}%), making indexes`
  }
  return (
    `${formatCount(position)} of ${formatCount(head)} (${done}%), ` +
    `${formatCount(pace.eventsPerSecond)} events/s${left}`
  )
}

function progressLines(
  stderr: NodeJS.WritableStream,
  title: string,
  now: () => number,
): ProgressDisplay {
  let next = 0
  return {
    show: (progress) => {
      if (now() < next) return
      next = now() + lineIntervalMs
      stderr.write(`${title}: ${progressText(progress)}\n`)
    },
    announceStop: () => {},
    end: () => {},
  }
}

function progressBar(stderr: NodeJS.WritableStream, title: string): ProgressDisplay {
  const bar = new cliProgress.SingleBar({
    stream: stderr,
    format: `${title} {bar} {text}`,
    barsize: 24,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    // The command listens to signals, and ends the bar at the first one.
    gracefulExit: false,
  })
  let isStarted = false
  let isOver = false
  const end = () => {
    isOver = true
    bar.stop()
  }
  return {
    show: (progress) => {
      if (isOver) return
      const payload = { text: progressText(progress) }
      if (!isStarted) bar.start(100, percentOf(progress), payload)
      isStarted = true
      bar.update(percentOf(progress), payload)
    },
    announceStop: () => {
      end()
      stderr.write('stopping after the chunk at hand; once more to stop at once\n')
    },
    end,
  }
}

function percentOf({ position, head }: Pick<RebuildProgress, 'position' | 'head'>): number {
  return head === 0n ? 100 : Number((position * 100n) / head)
}
