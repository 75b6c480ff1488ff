/*
 * The feed-forward layer in int8 as hardware: one array of P x C products that both matrices take turns on, weights streamed past a tile of T rows.
 *
 * y = act(x w1^T + b1) w2^T + b2 + residual with the arithmetic of fpga.cl, to the bit: rows of x, and the hidden rows, rounded to int8 with a scale each, sums
 * exact in int32, everything else in float32 on U multiply-adders that work abreast.
 *
 *   LOAD -> SCALE -> QUANTISE -> PRODUCT (w1, act) -> SCALE -> QUANTISE -> PRODUCT (w2) -> STORE, tile after tile
 *
 * Streams of 32-bit words; one moves where valid and ready. x, residual and y are floats, row by row, T rows a tile: behind the last real row the sender gives
 * zeros and the receiver drops what comes. w is, tile after tile, w1 and then w2, each panel by panel as its buffer lies in memory (rows of P words of four
 * int8, P scales, P starts of sums, which are not used), behind each panel P numbers of the bias where there is one; past F and N zeros.
 *
 * D, F, N, T, P, INT, ACT, BIAS1, BIAS2, RESIDUAL as in fpga.cl; T a power of two from 8 on, INT 1, ACT skip_none, skip_relu or skip_gelu. C: depth of a product a
 * cycle, a multiple of 4; U: floats a cycle, 1, 2 or 4, of which C and P are multiples.
 */
module `SKIP_FFN_NAME (
	input logic clk, reset,
	input logic [31:0] x_data, input logic x_valid, output logic x_ready,
	input logic [31:0] w_data, input logic w_valid, output logic w_ready,
	input logic [31:0] residual_data, input logic residual_valid, output logic residual_ready,
	output logic [31:0] y_data, output logic y_valid, input logic y_ready
);
	localparam skip_none = 0, skip_relu = 1, skip_gelu = 2;
	localparam ACT = `SKIP_FFN_ACT;
	localparam D = `SKIP_FFN_D, F = `SKIP_FFN_F, N = `SKIP_FFN_N, T = `SKIP_FFN_T, P = `SKIP_FFN_P, C = `SKIP_FFN_C, U = `SKIP_FFN_U;
	localparam BIAS1 = `SKIP_FFN_BIAS1, BIAS2 = `SKIP_FFN_BIAS2, RESIDUAL = `SKIP_FFN_RESIDUAL;
	localparam PANELS_1 = (F + P - 1) / P, PANELS_2 = (N + P - 1) / P;
	localparam WORDS_1 = (D + C - 1) / C, WORDS_2 = (F + C - 1) / C; /* of a row: words of C numbers */
	localparam LONGEST = PANELS_1 * P > PANELS_2 * P ? PANELS_1 * P : PANELS_2 * P;
	localparam GROUPS = ((D > LONGEST ? D : LONGEST) + U - 1) / U; /* of a row: U floats each */
	localparam WORDS = WORDS_1 > WORDS_2 ? WORDS_1 : WORDS_2;
	localparam G = P / U, ROW = $clog2(T), LEVELS = $clog2(C), LANE = $clog2(U), AT = G > 1 ? $clog2(G) : 1;
	localparam RING = 13, FETCH = 2, ROUND = 7; /* cycles of a multiply-add, from an address to its floats, and to the rounding to int8 */
	if (T < 8 || (T & (T - 1)) != 0 || `SKIP_FFN_INT != 1 || C % 4 != 0 || C % U != 0 || P % U != 0 || U == 3 || U > 4) skip_ffn_constants_out_of_range refused ();

	typedef enum logic [2:0] {LOAD, SCALE, QUANTISE, PRODUCT, STORE} phase_t;
	phase_t phase;
	logic second; /* the hidden rows are what is scaled, rounded and multiplied */

	/* ---- floats of a tile, in U banks, address {column / U, row}; of each row the largest |.|, its scale and 127 / largest ---- */
	logic [U-1:0] number_write;
	logic [15+ROW:0] number_write_at, number_at;
	logic [31:0] number_in[0:U-1], number[0:U-1];
	logic [31:0] scale[0:T-1], inverse[0:T-1];
	logic [30:0] most[0:T-1];
	for (genvar u = 0; u < U; u++) begin : bank
		logic [31:0] memory[0:GROUPS * T - 1], read;
		always_ff @(posedge clk) begin
			if (number_write[u]) memory[number_write_at[$clog2(GROUPS * T) - 1:0]] <= number_in[u];
			read <= memory[number_at[$clog2(GROUPS * T) - 1:0]];
			number[u] <= read;
		end
	end

	/* ---- int8 of a tile, address {word, row} ---- */
	logic word_write;
	logic [15+ROW:0] word_write_at, word_at;
	logic [8 * C - 1:0] word_in, word_read, word;
	logic [8 * C - 1:0] words[0:WORDS * T - 1];
	always_ff @(posedge clk) begin
		if (word_write) words[word_write_at[$clog2(WORDS * T) - 1:0]] <= word_in;
		word_read <= words[word_at[$clog2(WORDS * T) - 1:0]];
		word <= word_read;
	end

	/* ---- the multiply-adders; what goes in is chosen at the end ---- */
	logic [31:0] a[0:U-1], b[0:U-1], c[0:U-1], out[0:U-1], result[0:U-1];
	logic [7:0] rounded[0:U-1];
	for (genvar u = 0; u < U; u++) begin : unit
		skip_multiply_add multiply_add (.clk(clk), .a(a[u]), .b(b[u]), .c(c[u]), .y(out[u]), .q(rounded[u]));
		always_comb result[u] = ACT == skip_relu && !second && out[u][31] ? 32'd0 : out[u];
	end

	/* ---- LOAD, SCALE, QUANTISE, STORE: rows and columns in turn ---- */
	typedef struct packed {
		logic valid, word_end, all;
		logic [U-1:0] keep; /* columns there are; the rest of a word is zeros */
		logic [ROW-1:0] row;
		logic [15:0] word;
		logic [1:0] lane;
	} fetch_t;
	fetch_t fetching, fetched, with_rounded, with_sum; /* at the address, with its floats, with their int8, with its sum */
	logic [U+ROW+20:0] fetch[0:FETCH+RING-1];
	logic [ROW-1:0] row;
	logic [15:0] column, column_end, word_index, part;
	logic [5:0] step;
	logic issued; /* all of QUANTISE or STORE is on its way */
	logic loads, stores, row_end;
	logic [30:0] largest;
	logic [31:0] inverse_of_row, beside_early, beside;
	logic [8 * C - 1:0] word_part;
	logic [8 * U - 1:0] bytes;
	logic [5:0] under_way, fifo_in, fifo_out; /* of the results: on their way, or waiting */
	logic [31:0] fifo[0:31];
	logic all_finished;
	skip_inverse divider (.clk(clk), .start(phase == SCALE && step == 1), .most(largest), .inverse(inverse_of_row));
	always_comb begin
		fetched = fetch[FETCH - 1];
		with_rounded = fetch[FETCH + ROUND - 1];
		with_sum = fetch[FETCH + RING - 1];
		x_ready = phase == LOAD;
		loads = x_ready && x_valid;
		residual_ready = RESIDUAL != 0 && phase == STORE && !issued && under_way != 32;
		stores = RESIDUAL != 0 ? residual_ready && residual_valid : phase == STORE && !issued && under_way != 32;
		column_end = phase == LOAD ? D : N;
		row_end = column == column_end - 1;
		number_at = {column >> LANE, row};
		y_valid = fifo_in != fifo_out;
		y_data = fifo[fifo_out[4:0]];
		fetching.valid = phase == QUANTISE ? !issued : stores;
		fetching.word_end = part == C / U - 1;
		fetching.all = fetching.word_end && row == T - 1 && word_index == (second ? WORDS_2 : WORDS_1) - 1;
		for (int u = 0; u < U; u++) fetching.keep[u] = column + u < (second ? F : D);
		fetching.row = row;
		fetching.word = word_index;
		fetching.lane = column % U;
		for (int u = 0; u < U; u++) bytes[8 * u +: 8] = with_rounded.keep[u] ? rounded[u] : 8'd0;
		word_in = (word_part >> (8 * U)) | ((8 * C)'(bytes) << (8 * (C - U)));
		word_write = phase == QUANTISE && with_rounded.valid && with_rounded.word_end;
		word_write_at = {with_rounded.word, with_rounded.row};
	end
	always_ff @(posedge clk) begin
		fetch[0] <= reset ? '0 : fetching;
		for (int i = 1; i < FETCH + RING; i++) fetch[i] <= reset ? '0 : fetch[i - 1];
		beside_early <= residual_data;
		beside <= RESIDUAL != 0 ? beside_early : 32'd0;
		if (with_rounded.valid) word_part <= word_in;
		if (phase == STORE && with_sum.valid) fifo[fifo_in[4:0]] <= out[0];
		if (phase == SCALE && step == 0) largest <= most[row];
		if (phase == SCALE && step == 31) begin
			scale[row] <= out[0];
			inverse[row] <= inverse_of_row;
		end
		if (reset) begin
			phase <= LOAD;
			second <= 0;
			row <= 0;
			column <= 0;
			word_index <= 0;
			part <= 0;
			step <= 0;
			issued <= 0;
			under_way <= 0;
			fifo_in <= 0;
			fifo_out <= 0;
		end else begin
			if (phase == STORE && with_sum.valid) fifo_in <= fifo_in + 1;
			if (y_valid && y_ready) fifo_out <= fifo_out + 1;
			under_way <= under_way + {5'b0, stores} - {5'b0, y_valid && y_ready};
			case (phase)
			LOAD, STORE:
				if (phase == STORE && issued) begin
					if (under_way == 0) begin
						phase <= LOAD;
						second <= 0;
						issued <= 0;
					end
				end else if (loads || stores) begin
					column <= row_end ? 16'd0 : column + 1;
					if (row_end) row <= row + 1;
					if (row_end && row == T - 1) begin
						issued <= phase == STORE;
						if (phase == LOAD) phase <= SCALE;
					end
				end
			SCALE: begin
				step <= step == 31 ? 6'd0 : step + 1;
				if (step == 31) row <= row + 1;
				if (step == 31 && row == T - 1) phase <= QUANTISE;
			end
			QUANTISE:
				if (with_rounded.valid && with_rounded.all) begin
					phase <= PRODUCT;
					issued <= 0;
					word_index <= 0;
					column <= 0;
				end else if (!issued) begin
					part <= fetching.word_end ? 16'd0 : part + 1;
					column <= fetching.word_end && row != T - 1 ? column - (C - U) : column + U;
					if (fetching.word_end) row <= row + 1;
					if (fetching.word_end && row == T - 1) word_index <= word_index + 1;
					issued <= fetching.all;
				end
			PRODUCT:
				if (all_finished) begin
					phase <= second ? STORE : SCALE;
					second <= 1;
				end
			default: phase <= LOAD;
			endcase
		end
	end

	/* ---- products: weights come in while the ones they follow are used. A panel has weights, then its tail: scales, starts of sums, bias ---- */
	logic [15:0] panels, words_of_row, depth_rows, loading, taken, finished; /* panels: loaded, multiplied, left the ring */
	logic [1:0] loaded_ahead, taken_ahead;   /* of the ring's last */
	logic [1:0] tails_ahead, summed_ahead; /* of what enters the ring */
	logic all_loaded, all_taken, tail_ends, word_ends, sum_ends, panel_starts, panel_leaves;
	logic [15:0] weight_row, chunk, weight_at, product_word;
	logic [32 * P * C / 4 - 1:0] next;
	logic next_full, take[0:1], multiplying, go, tail, chunk_end, w_moves;
	logic [1:0] tail_lane, tail_kind;
	logic [ROW-1:0] product_row;
	always_comb begin
		panels = second ? PANELS_2 : PANELS_1;
		words_of_row = second ? WORDS_2 : WORDS_1;
		depth_rows = second ? (F + 3) / 4 : (D + 3) / 4;
		w_ready = phase == PRODUCT && !all_loaded && (tail ? !loaded_ahead[1] : !next_full);
		w_moves = w_valid && w_ready;
		go = phase == PRODUCT && (multiplying || (next_full && !take[0] && !take[1] && !all_taken && !taken_ahead[1]));
		tail_ends = w_moves && tail && tail_lane == U - 1 && weight_at == G - 1 && tail_kind == ((second ? BIAS2 : BIAS1) != 0 ? 2 : 1);
		word_ends = go && product_row == T - 1;
		chunk_end = chunk == P * C / 4 - 1;
		word_at = {product_word, product_row};
	end
	always_ff @(posedge clk) begin
		take[0] <= go && !multiplying;
		take[1] <= take[0];
		if (phase != PRODUCT) begin
			loading <= 0;
			taken <= 0;
			all_loaded <= 0;
			all_taken <= 0;
			loaded_ahead <= 0;
			taken_ahead <= 0;
			tails_ahead <= 0;
			summed_ahead <= 0;
			weight_row <= 0;
			chunk <= 0;
			weight_at <= 0;
			product_word <= 0;
			product_row <= 0;
			tail <= 0;
			tail_kind <= 0;
			tail_lane <= 0;
			next_full <= 0;
			multiplying <= 0;
		end else begin
			loaded_ahead <= loaded_ahead + {1'b0, tail_ends} - {1'b0, panel_leaves};
			taken_ahead <= taken_ahead + {1'b0, word_ends && product_word == words_of_row - 1} - {1'b0, panel_leaves};
			tails_ahead <= tails_ahead + {1'b0, tail_ends} - {1'b0, panel_starts};
			summed_ahead <= summed_ahead + {1'b0, sum_ends} - {1'b0, panel_starts};
			if (take[1]) next_full <= 0;
			if (w_moves && !tail) begin
				next[32 * chunk[$clog2(P * C / 4) - 1:0] +: 32] <= w_data;
				chunk <= chunk + 1;
				weight_at <= weight_at == P - 1 ? 16'd0 : weight_at + 1;
				if (weight_at == P - 1) begin
					weight_row <= weight_row + 1;
					tail <= weight_row == depth_rows - 1;
					/* The last word of a row of weights may be part full: those that it lacks meet zeros. */
					if (chunk_end || weight_row == depth_rows - 1) begin
						next_full <= 1;
						chunk <= 0;
					end
				end
			end
			if (w_moves && tail) begin
				tail_lane <= tail_lane == U - 1 ? 2'd0 : tail_lane + 1;
				if (tail_lane == U - 1) weight_at <= weight_at == G - 1 ? 16'd0 : weight_at + 1;
				if (tail_lane == U - 1 && weight_at == G - 1) begin
					tail_kind <= tail_kind + 1;
				end
				if (tail_ends) begin
					tail <= 0;
					tail_kind <= 0;
					weight_row <= 0;
					loading <= loading + 1;
					all_loaded <= loading == panels - 1;
				end
			end
			if (go) begin
				product_row <= product_row + 1;
				multiplying <= product_row != T - 1;
				if (word_ends) product_word <= product_word == words_of_row - 1 ? 16'd0 : product_word + 1;
				if (word_ends && product_word == words_of_row - 1) begin
					taken <= taken + 1;
					all_taken <= taken == panels - 1;
				end
			end
		end
	end

	/* Which sums a cycle adds to, carried along with its products; sums of T rows, and whole ones in two halves: one panel leaves while the next is summed. */
	localparam PRODUCTS = FETCH + 1 + LEVELS;
	typedef struct packed {
		logic valid, first, whole, half;
		logic [ROW-1:0] row;
	} sum_t;
	sum_t sum_next, sum_now, sum_written;
	logic [ROW+3:0] sum_of[0:PRODUCTS + 1];
	logic [32 * P - 1:0] sums[0:T-1], done[0:2 * T - 1], old, sum;
	always_comb begin
		sum_next = sum_of[PRODUCTS - 1];
		sum_now = sum_of[PRODUCTS];
		sum_written = sum_of[PRODUCTS + 1];
		sum_ends = sum_written.valid && sum_written.whole && sum_written.row == T - 1;
	end
	always_ff @(posedge clk) begin
		sum_of[0] <= {go && !reset, product_word == 0, product_word == words_of_row - 1, taken[0], product_row};
		for (int i = 1; i <= PRODUCTS + 1; i++) sum_of[i] <= reset ? '0 : sum_of[i - 1];
		old <= sums[sum_next.row];
		if (sum_written.valid) sums[sum_written.row] <= sum;
		if (sum_written.valid && sum_written.whole) done[{sum_written.half, sum_written.row}] <= sum;
	end
	for (genvar n = 0; n < P; n++) begin : output_
		logic signed [19 + LEVELS:0] part[0:2 * C - 2]; /* a tree: products, then the sums of each level */
		for (genvar k = 0; k < C; k++) begin : depth
			localparam AT_WORD = 32 * (k / 4 * P + n) + 8 * (k % 4);
			logic signed [35:0] product;
			skip_multiply multiply (.clk(clk), .take_b(take[1]), .a({{10{word[8 * k + 7]}}, word[8 * k +: 8]}),
				.b({{10{next[AT_WORD + 7]}}, next[AT_WORD +: 8]}), .p(product));
			always_comb part[k] = product[19 + LEVELS:0];
		end
		for (genvar k = 0; k < C - 1; k++) begin : node
			always_ff @(posedge clk) part[C + k] <= part[2 * k] + part[2 * k + 1];
		end
		always_ff @(posedge clk) sum[32 * n +: 32] <= {{(12 - LEVELS){part[2 * C - 2][19 + LEVELS]}}, part[2 * C - 2]}
							      + (sum_now.first ? 32'd0 : old[32 * n +: 32]);
	end

	/*
	 * ---- behind the products: the ring. A number goes round the multiply-adders, one step of this program a time; RING numbers, or none, are under way.
	 *  0: s = column scale * row scale     1: u = float(sum) * s + bias     GELU, as skip_gelu_m1:
	 *  2: u / sqrt 2     3: z = that within +-3.8; z * z     4: t = z * z * c - 1     5 to 18: a polynomial in t     19: * z     20: h * that + h, h = u / 2
	 */
	typedef struct packed {
		logic valid;
		logic [4:0] step;
		logic half; /* of the panel */
		logic [ROW-1:0] row;
		logic [AT-1:0] at; /* which U columns of the panel */
	} number_t;
	number_t head, back, coming; /* what goes in, what has been round, and that a cycle earlier */
	logic [AT+ROW+6:0] ring[1:RING-1];
	logic [3:0] slot, float_slot;
	logic starts, leaves, ends;
	logic [ROW-1:0] start_row;
	logic [AT-1:0] start_at;
	logic [15:0] left_of_panel, panel_group;
	logic started; /* half of the panel that starts */
	logic [32 * P - 1:0] leaving;
	logic [31:0] coefficient;
	always_comb begin
		coming = ring[RING - 1];
		ends = coming.step == (!second && ACT == skip_gelu ? 5'd21 : 5'd2);
		starts = phase == PRODUCT && !back.valid && summed_ahead != 0 && tails_ahead != 0;
		panel_starts = starts && start_at == G - 1 && start_row == T - 1;
		panel_leaves = leaves && left_of_panel == T * G - 1;
		leaving = done[{started, start_row}];
		head = back.valid ? back : {starts, 5'd0, started, start_row, start_at};
	end
	always_ff @(posedge clk) begin
		all_finished <= finished == panels;
		for (int i = 2; i < RING; i++) ring[i] <= reset ? '0 : ring[i - 1];
		/* Back at the start: a number that has done its steps leaves, and its place is free. */
		leaves <= coming.valid && ends && !reset;
		back <= {coming.valid && !ends && !reset, coming.valid && !ends ? coming.step : 5'd0, coming.half, coming.row, coming.at};
		case (coming.step)
		4: coefficient <= 32'hbf800000; /* -1 */
		5: coefficient <= 32'hbb30ab59; /* -0x1.6156b2p-9 */
		6: coefficient <= 32'h3b1b244d; /* 0x1.36489ap-9 */
		7: coefficient <= 32'hbb583bdd; /* -0x1.b077bap-9 */
		8: coefficient <= 32'h3c230352; /* 0x1.4606a4p-7 */
		9: coefficient <= 32'hbc962fab; /* -0x1.2c5f56p-6 */
		10: coefficient <= 32'h3cdaab54; /* 0x1.b556a8p-6 */
		11: coefficient <= 32'hbd1f7f2f; /* -0x1.3efe5ep-5 */
		12: coefficient <= 32'h3d6182fe; /* 0x1.c305fcp-5 */
		13: coefficient <= 32'hbd948301; /* -0x1.290602p-4 */
		14: coefficient <= 32'h3dba0680; /* 0x1.740dp-4 */
		15: coefficient <= 32'hbde3b543; /* -0x1.c76a86p-4 */
		16: coefficient <= 32'h3e0d0b96; /* 0x1.1a172cp-3 */
		17: coefficient <= 32'hbe3e18ba; /* -0x1.7c3174p-3 */
		18: coefficient <= 32'h3ebe84e4; /* 0x1.7d09c8p-2 */
		default: coefficient <= 0;
		endcase
		ring[1] <= {head.valid && !reset, head.step + 5'd1, head.half, head.row, head.at};
		slot <= reset || slot == RING - 1 ? 4'd0 : slot + 1;
		float_slot <= reset ? 4'd8 : float_slot == RING - 1 ? 4'd0 : float_slot + 1; /* slot, five cycles ago */
		if (phase != PRODUCT) begin
			start_row <= 0;
			start_at <= 0;
			started <= 0;
			finished <= 0;
			panel_group <= 0;
			left_of_panel <= 0;
		end else begin
			if (starts) begin
				start_at <= start_at == G - 1 ? '0 : start_at + 1;
				if (start_at == G - 1) start_row <= start_row + 1;
				if (panel_starts) started <= !started;
			end
			if (leaves) begin
				left_of_panel <= left_of_panel == T * G - 1 ? 16'd0 : left_of_panel + 1;
				if (panel_leaves) begin
					finished <= finished + 1;
					panel_group <= panel_group + G;
				end
			end
		end
	end

	/* What LOAD and the ring leave: floats into the banks, and the largest of each row. */
	function automatic [30:0] larger(input [30:0] left, input [30:0] right);
		larger = left > right ? left : right;
	endfunction
	logic seen[0:1], seen_first[0:1];
	logic [ROW-1:0] seen_row[0:1];
	logic [30:0] near, far, seen_most;
	always_ff @(posedge clk) begin
		number_write <= phase == LOAD ? (loads ? U'(1) << column % U : '0) : {U{leaves}};
		number_write_at <= phase == LOAD ? {column >> LANE, row} : {panel_group + 16'(back.at), back.row};
		for (int u = 0; u < U; u++) number_in[u] <= phase == LOAD ? x_data : result[u];
		seen[0] <= loads || leaves;
		seen_first[0] <= phase == LOAD ? column == 0 : finished == 0 && back.at == 0;
		seen_row[0] <= phase == LOAD ? row : back.row;
		near <= phase == LOAD ? x_data[30:0] : larger(result[0][30:0], result[U > 1 ? 1 : 0][30:0]);
		far <= phase == LOAD ? 31'd0 : larger(result[U > 2 ? 2 : 0][30:0], result[U > 2 ? 3 : 0][30:0]);
		seen[1] <= seen[0];
		seen_first[1] <= seen_first[0];
		seen_row[1] <= seen_row[0];
		seen_most <= larger(near, far);
		if (seen[1]) most[seen_row[1]] <= seen_first[1] ? seen_most : larger(most[seen_row[1]], seen_most);
	end

	/* ---- operands ---- */
	for (genvar u = 0; u < U; u++) begin : operand
		logic [31:0] scales[0:(2 << AT) - 1], biases[0:(2 << AT) - 1], float_of[0:15], u_of[0:15], z_of[0:15], t_of[0:15];
		logic [31:0] picked, as_float, z, kept, half, bias;
		skip_to_float to_float (.clk(clk), .i(picked), .y(as_float));
		always_ff @(posedge clk) begin
			picked <= leaving[32 * (start_at * U + u) +: 32];
			if (w_moves && tail && tail_lane == u && tail_kind == 0) scales[{loading[0], weight_at[AT-1:0]}] <= w_data;
			if (w_moves && tail && tail_lane == u && tail_kind == 2) biases[{loading[0], weight_at[AT-1:0]}] <= w_data;
			float_of[float_slot] <= as_float;
			if (head.step == 2) u_of[slot] <= out[u];
			if (head.step == 3) z_of[slot] <= z;
			if (head.step == 5) t_of[slot] <= out[u];
		end
		always_comb begin
			z = out[u][30:0] > 31'h40733333 ? {out[u][31], 31'h40733333} : out[u];
			kept = u_of[slot];
			half = kept[30:23] == 0 ? 32'd0 : {kept[31], kept[30:23] - 8'd1, kept[22:0]};
			bias = (second ? BIAS2 : BIAS1) != 0 ? biases[{head.half, head.at}] : 32'd0;
			case (phase)
			SCALE: begin
				a[u] = {1'b0, largest};
				b[u] = 32'h3c010204; /* 1 / 127 */
				c[u] = 0;
			end
			QUANTISE: begin
				a[u] = number[u];
				b[u] = inverse[fetched.row];
				c[u] = 0;
			end
			STORE: begin
				a[u] = number[fetched.lane];
				b[u] = 32'h3f800000;
				c[u] = beside;
			end
			default:
				case (head.step)
				0: begin
					a[u] = scales[{head.half, head.at}];
					b[u] = scale[head.row];
					c[u] = 0;
				end
				1: begin
					a[u] = float_of[slot];
					b[u] = out[u];
					c[u] = bias;
				end
				3: begin
					a[u] = z;
					b[u] = z;
					c[u] = 0;
				end
				20: begin
					a[u] = half;
					b[u] = out[u];
					c[u] = half;
				end
				default: begin
					a[u] = out[u];
					b[u] = head.step == 2 ? 32'h3f3504f3 : head.step == 4 ? 32'h3e0dd409 : head.step == 5 ? 32'h3a85f78b : head.step == 19 ? z_of[slot] : t_of[slot];
					c[u] = coefficient;
				end
				endcase
			endcase
		end
	end
endmodule
