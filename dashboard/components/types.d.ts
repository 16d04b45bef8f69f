// What the viewer's scripts are given: by our routes (dashboard/api/review.py, review_items.py), by the
// pages through Streamlit, and by one script to the other. Every side is one of the shown order.

export type Side = "first" | "second";
export type Answer = Side | "tie";
export type Order = "dataset" | "swapped";
export type Decision = "accepted" | "rejected";
export type RulingName = "accept" | "reject" | "relabel" | "flag" | "note" | "undo";

/** One's own ruling on an item. `fresh`: made since the server sent the item. */
export interface Own {
  ruling: RulingName;
  relabel: Answer | null;
  token: string;
  note: string;
  tags: string[];
  unblinded?: boolean | null;
  fresh?: boolean;
  /** A note was stored beside the ruling later; `under` is what it stands on. */
  noted?: boolean;
  under?: Own;
}

export type Written = Pick<Own, "note" | "tags">;

export interface Sibling {
  id: number;
  order: Order;
  sample: number;
  answer: Answer | null;
  effective: Decision | null;
}

export interface RunAgainst {
  run: number;
  model: string;
  answers: number;
  against: number;
  orders: number;
  lead: number | null;
}

export type Piece = [text: string, about: Side | "neither", flaws: string[]];
export type ReadStep = [what: string, rule: string, result: string, from: string];

/** A prediction. What follows `withheld` is missing while that is true. */
export interface Item {
  position: number;
  prediction: number;
  run: number;
  pair: number;
  model: string;
  index: string;
  kind: "image" | "video";
  sample: number;
  first: string;
  second: string;
  prompt: string;
  mine: Own | null;
  withheld?: boolean;
  held_by?: number | null;
  seen?: boolean;
  order: Order;
  pieces: Piece[];
  length: number;
  cut: boolean;
  flaws: string[];
  answer: Answer | null;
  preferred: Answer;
  margin: number | null;
  scores: {
    dimensions?: [name: string, first: number | null, second: number | null][];
    totals?: [number | null, number | null];
  };
  read_by: ReadStep[] | null;
  decision: Decision;
  reason: string;
  effective: Decision;
  ruling: RulingName | null;
  relabel: Answer | null;
  reviewer: string | null;
  siblings: Sibling[];
  why?: { answers: number; against: number; runs: RunAgainst[] } | null;
  /** Known to the page alone: its ruling was taken back, or its verdict is being fetched. */
  stale?: boolean;
  opening?: boolean;
}

/** What counts for an item, and who said it. */
export interface Standing {
  ruling: RulingName | null;
  relabel: Answer | null;
  who: string | null;
  effective: Decision;
}

/** A ruling on its way, as the server is sent it. */
export interface Sent {
  token: string;
  queue: number;
  position: number;
  prediction_id: number;
  ruling: RulingName;
  relabel: Answer | null;
  note: string;
  tags: string[];
  unblinded?: boolean | null;
  undoes?: string;
  /** What a note stands beside. */
  on?: Pick<Own, "ruling" | "relabel" | "token"> | null;
}

/** A ruling that can be taken back. */
export interface Past {
  position: number;
  prediction: number;
  token: string;
  before: Own | null;
}

export interface Progress {
  items: number;
  done: number;
  mine: number;
  held: number;
}

export interface Trouble {
  message: string;
  hint: string;
  status: number;
}

/** Answers of our routes. */
export interface ItemsAnswer {
  items: Item[];
  expires_at?: number;
  at_end?: boolean;
  progress?: Progress;
}
export interface RulingsAnswer {
  stored: string[];
  refused: { token: string; message: string; hint: string }[];
  progress: Record<string, Progress>;
}
export interface StatsAnswer {
  progress: Progress;
  audit: Audit;
  expires_at: number;
}

/** Counts, and of a random sample also what they say about the whole. */
export type Share =
  | { hits: number; n: number; share: null; more?: undefined }
  | { hits: number; n: number; share: number; low: number; high: number; more: { n: number; half_width: number } | null };
export interface Audit {
  rulings: number;
  precision: Share;
  rejection: Share;
  judge: Share;
  label: Share;
  why: string | null;
  reviewers: number;
  agreement: { items: number; same: number; alpha: number | null; low: number | null; high: number | null };
  pace_s: number | null;
}

export interface Queue {
  id: number;
  title: string;
  kind: string;
  items: number;
  blind: boolean;
  rulings_wanted: number;
}
export interface ViewerData {
  queue: Queue;
  at: number;
  person: string;
  workspace: string;
  token: string;
  keys: Record<string, string>;
  blind: boolean;
}

/** Elements of viewer.html by their `data-id`. */
export interface Parts {
  note: HTMLTextAreaElement;
  tags: HTMLInputElement;
  scrub: HTMLInputElement;
  play: HTMLButtonElement;
  loop: HTMLButtonElement;
  [name: string]: HTMLElement;
}

/** A card of Browse; see dashboard/browse/cards.py. */
export interface ResultCard {
  id: number;
  noun: string;
  thumbs: [string, string];
  caption: string;
  run: string;
  answer: Answer | null;
  preferred: Answer | null;
  state: string;
  decision: string;
  filter: string;
  facts: string;
  said: string;
  wanted: string;
  margin: string;
  ruling: string;
  flaws: string;
}

/** A card of two thumbnails and a caption. */
export interface PairCard {
  noun: string;
  thumbs: [string, string];
  media: [string, string];
  caption: string;
  preferred: Answer;
  facts: string;
}

/** What Streamlit calls a component's default export with; what that returns is called when it goes. */
export interface Component<Data> {
  data: Data;
  parentElement: ShadowRoot;
  setTriggerValue: (name: string, value: unknown) => void;
}
