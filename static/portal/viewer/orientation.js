// Which side of the patient is where: the two letters move with every turn and flip. Those for head and feet would say
// nothing that a radiograph does not show.

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const SIDES = ["left", "top", "right", "bottom"];

export class OrientationMarks {
  constructor(root) {
    this.edges = Object.fromEntries(SIDES.map((side) => [side, root.querySelector(`[data-edge=${side}]`)]));
    // Where the header is silent: frontal views are hung so that the patient faces the reader. Brackets say "assumed".
    this.isAssumed = "frontal" in root.dataset;
    this.letters = this.isAssumed ? { left: "(R)", right: "(L)" } : {};
  }

  /** @param {string[]} stated Direction of the rows, then of the columns, as in DICOM's Patient Orientation. */
  learn([across]) {
    if (!across) return;
    this.isAssumed = false;
    this.letters = { left: [...across].map((letter) => OPPOSITE[letter]).join(""), right: across };
  }

  draw(view) {
    for (const side of SIDES) this.edges[view.sideOf(side)].textContent = this.letters[side] ?? "";
  }
}
