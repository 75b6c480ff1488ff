/*
 * What RTL bodies are built of: a multiplier with registers inside its block, and a float32 multiply-add that rounds as kernels/common/fpga.cl does, so that a
 * body in SystemVerilog has the bits of the one in OpenCL C. Numbers are finite; what is smaller than 2^-126 is zero (numeric.denormals of the boards: false).
 * With SKIP_ECP5 the multiplier is the block of that chip, since synthesis leaves its registers outside; else the same as behaviour.
 */

/* p = a * b, two cycles later: registers before and behind the product. b is taken where `take_b`, and kept. */
module skip_multiply (
	input logic clk, take_b,
	input logic signed [17:0] a, b,
	output logic signed [35:0] p
);
`ifdef SKIP_ECP5
	MULT18X18D #(
		.REG_INPUTA_CLK("CLK0"), .REG_INPUTA_CE("CE0"), .REG_INPUTA_RST("RST0"), .REG_INPUTB_CLK("CLK0"), .REG_INPUTB_CE("CE1"), .REG_INPUTB_RST("RST0"),
		.REG_PIPELINE_CLK("NONE"), .REG_OUTPUT_CLK("CLK0"), .REG_OUTPUT_CE("CE0"), .REG_OUTPUT_RST("RST0")
	) block (
		.CLK0(clk), .CLK1(1'b0), .CLK2(1'b0), .CLK3(1'b0), .CE0(1'b1), .CE1(take_b), .CE2(1'b1), .CE3(1'b1), .RST0(1'b0), .RST1(1'b0), .RST2(1'b0), .RST3(1'b0),
		.SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0),
		.A17(a[17]), .A16(a[16]), .A15(a[15]), .A14(a[14]), .A13(a[13]), .A12(a[12]), .A11(a[11]), .A10(a[10]), .A9(a[9]),
		.A8(a[8]), .A7(a[7]), .A6(a[6]), .A5(a[5]), .A4(a[4]), .A3(a[3]), .A2(a[2]), .A1(a[1]), .A0(a[0]),
		.B17(b[17]), .B16(b[16]), .B15(b[15]), .B14(b[14]), .B13(b[13]), .B12(b[12]), .B11(b[11]), .B10(b[10]), .B9(b[9]),
		.B8(b[8]), .B7(b[7]), .B6(b[6]), .B5(b[5]), .B4(b[4]), .B3(b[3]), .B2(b[2]), .B1(b[1]), .B0(b[0]),
		.P35(p[35]), .P34(p[34]), .P33(p[33]), .P32(p[32]), .P31(p[31]), .P30(p[30]), .P29(p[29]), .P28(p[28]), .P27(p[27]),
		.P26(p[26]), .P25(p[25]), .P24(p[24]), .P23(p[23]), .P22(p[22]), .P21(p[21]), .P20(p[20]), .P19(p[19]), .P18(p[18]),
		.P17(p[17]), .P16(p[16]), .P15(p[15]), .P14(p[14]), .P13(p[13]), .P12(p[12]), .P11(p[11]), .P10(p[10]), .P9(p[9]),
		.P8(p[8]), .P7(p[7]), .P6(p[6]), .P5(p[5]), .P4(p[4]), .P3(p[3]), .P2(p[2]), .P1(p[1]), .P0(p[0])
	);
`else
	logic signed [17:0] left, right;
	always_ff @(posedge clk) begin
		left <= a;
		if (take_b) right <= b;
		p <= left * right;
	end
`endif
endmodule

/*
 * y = round(round(a * b) + c) 13 cycles later, rounded to nearest even; and q, the integer nearest to the exact a * b for |a * b| < 128, ties to even, 7 cycles
 * later: skip_int8_m1 of fpga.cl.
 */
module skip_multiply_add (
	input logic clk,
	input logic [31:0] a, b, c,
	output logic [31:0] y,
	output logic [7:0] q
);
	/* 1: operands. 2, 3: in the multipliers, halves of 12 bits. */
	logic [31:0] a1, b1, late_c[1:7];
	logic [23:0] ma, mb;
	logic signed [35:0] low, middle_0, middle_1, high;
	logic sign[2:7];
	logic [9:0] exponent[2:7];
	always_ff @(posedge clk) begin
		a1 <= a;
		b1 <= b;
		late_c[1] <= c;
		for (int i = 2; i <= 7; i++) late_c[i] <= late_c[i - 1];
		sign[2] <= a1[31] ^ b1[31];
		exponent[2] <= {2'b0, a1[30:23]} + {2'b0, b1[30:23]};
		for (int i = 3; i <= 5; i++) sign[i] <= sign[i - 1];
		for (int i = 3; i <= 5; i++) exponent[i] <= exponent[i - 1];
	end
	always_comb begin
		ma = a1[30:23] == 0 ? 24'd0 : {1'b1, a1[22:0]};
		mb = b1[30:23] == 0 ? 24'd0 : {1'b1, b1[22:0]};
	end
	skip_multiply m0 (.clk(clk), .take_b(1'b1), .a({6'b0, ma[11:0]}), .b({6'b0, mb[11:0]}), .p(low));
	skip_multiply m1 (.clk(clk), .take_b(1'b1), .a({6'b0, ma[11:0]}), .b({6'b0, mb[23:12]}), .p(middle_0));
	skip_multiply m2 (.clk(clk), .take_b(1'b1), .a({6'b0, ma[23:12]}), .b({6'b0, mb[11:0]}), .p(middle_1));
	skip_multiply m3 (.clk(clk), .take_b(1'b1), .a({6'b0, ma[23:12]}), .b({6'b0, mb[23:12]}), .p(high));

	/* 4, 5: the exact product. */
	logic [47:0] outer, product;
	logic [24:0] middle;
	always_ff @(posedge clk) begin
		outer <= {high[23:0], low[23:0]};
		middle <= {1'b0, middle_0[23:0]} + {1'b0, middle_1[23:0]};
		product <= outer + {11'b0, middle, 12'b0};
	end

	/* 6, 7: its nearest float. */
	logic [23:0] mantissa;
	logic guard, sticky;
	logic [30:0] rounded;
	logic [31:0] p;
	/* What the mantissa carries goes on into the exponent. */
	always_comb rounded = {exponent[6][7:0], mantissa[22:0]} + {30'b0, guard & (sticky | mantissa[0])};
	always_ff @(posedge clk) begin
		sign[6] <= sign[5];
		exponent[6] <= exponent[5] - 10'd127 + {9'b0, product[47]};
		mantissa <= product[47] ? product[47:24] : product[46:23];
		guard <= product[47] ? product[23] : product[22];
		sticky <= (product[47] & product[22]) | (|product[21:0]);
		/* A negative exponent has its top bit set; no number has a leading one only where it is zero. */
		p <= !mantissa[23] || exponent[6][9] || exponent[6] == 0 ? 32'd0 : {sign[6], rounded};
	end

	/* 6, 7: its nearest integer. The product is `product` / 2^(40 + shift) and below 2^48 / 2^40. */
	logic [9:0] shift;
	logic [7:0] whole, nearest;
	logic half, rest;
	always_comb begin
		shift = 10'd260 - exponent[5];
		nearest = whole + {7'b0, half & (rest | whole[0])};
	end
	always_ff @(posedge clk) begin
		whole <= shift > 8 ? 8'd0 : product[47:40] >> shift[3:0];
		half <= shift > 8 ? 1'b0 : |((product[47:39] >> shift[3:0]) & 9'd1);
		rest <= (|product[38:0]) | (|(product[46:39] & ((8'd1 << shift[3:0]) - 8'd1)));
		q <= sign[6] ? -nearest : nearest;
	end

	/* 8: the larger first. 9: the smaller shifted, what falls out kept as one bit. 10: sum. */
	logic [31:0] upper, lower;
	logic [7:0] apart;
	logic [26:0] wide_upper, wide_lower, shifted;
	logic subtract, sign_9, sign_10, sign_11, sign_12, lost;
	logic [7:0] exponent_9, exponent_10;
	logic [27:0] sum;
	always_comb begin
		wide_lower = lower[30:23] == 0 ? 27'd0 : {1'b1, lower[22:0], 3'b0};
		lost = |(wide_lower & ~(27'h7ffffff << apart));
	end
	always_ff @(posedge clk) begin
		if (p[30:0] < late_c[7][30:0]) begin
			upper <= late_c[7];
			lower <= p;
			apart <= late_c[7][30:23] - p[30:23];
		end else begin
			upper <= p;
			lower <= late_c[7];
			apart <= p[30:23] - late_c[7][30:23];
		end
		wide_upper <= upper[30:23] == 0 ? 27'd0 : {1'b1, upper[22:0], 3'b0};
		shifted <= (wide_lower >> apart) | {26'b0, lost};
		subtract <= upper[31] ^ lower[31];
		sign_9 <= upper[31];
		exponent_9 <= upper[30:23];
		sum <= subtract ? {1'b0, wide_upper} - {1'b0, shifted} : {1'b0, wide_upper} + {1'b0, shifted};
		sign_10 <= sign_9;
		exponent_10 <= exponent_9;
	end

	/* 11, 12: the leading one moved to bit 27. 13: rounded. */
	logic [27:0] by_16, by_8, by_4, by_2, by_1, coarse, fine;
	logic [4:0] n;
	logic [9:0] exponent_11, exponent_12;
	logic [30:0] sum_rounded;
	always_comb begin
		n[4] = sum[27:12] == 0;
		by_16 = n[4] ? sum << 16 : sum;
		n[3] = by_16[27:20] == 0;
		by_8 = n[3] ? by_16 << 8 : by_16;
		n[2] = coarse[27:24] == 0;
		by_4 = n[2] ? coarse << 4 : coarse;
		n[1] = by_4[27:26] == 0;
		by_2 = n[1] ? by_4 << 2 : by_4;
		n[0] = !by_2[27];
		by_1 = n[0] ? by_2 << 1 : by_2;
		sum_rounded = {exponent_12[7:0], fine[26:4]} + {30'b0, fine[3] & ((|fine[2:0]) | fine[4])};
	end
	always_ff @(posedge clk) begin
		coarse <= by_8;
		exponent_11 <= {2'b0, exponent_10} + 10'd1 - {5'b0, n[4:3], 3'b0};
		sign_11 <= sign_10;
		fine <= by_1;
		exponent_12 <= exponent_11 - {7'b0, n[2:0]};
		sign_12 <= sign_11;
		y <= !fine[27] || exponent_12[9] || exponent_12 == 0 ? 32'd0 : {sign_12, sum_rounded};
	end
endmodule

/* The float nearest to an int32, ties to even, four cycles later. */
module skip_to_float (
	input logic clk,
	input logic signed [31:0] i,
	output logic [31:0] y
);
	logic sign_1, sign_2, sign_3;
	logic [31:0] size, by_16, by_8, by_4, by_2, by_1, coarse, fine;
	logic [4:0] n;
	logic [7:0] exponent_2, exponent_3;
	logic [30:0] rounded;
	always_comb begin
		n[4] = size[31:16] == 0;
		by_16 = n[4] ? size << 16 : size;
		n[3] = by_16[31:24] == 0;
		by_8 = n[3] ? by_16 << 8 : by_16;
		n[2] = coarse[31:28] == 0;
		by_4 = n[2] ? coarse << 4 : coarse;
		n[1] = by_4[31:30] == 0;
		by_2 = n[1] ? by_4 << 2 : by_4;
		n[0] = !by_2[31];
		by_1 = n[0] ? by_2 << 1 : by_2;
		rounded = {exponent_3, fine[30:8]} + {30'b0, fine[7] & ((|fine[6:0]) | fine[8])};
	end
	always_ff @(posedge clk) begin
		sign_1 <= i[31];
		size <= i[31] ? -i : i;
		sign_2 <= sign_1;
		coarse <= by_8;
		exponent_2 <= 8'd158 - {3'b0, n[4:3], 3'b0};
		sign_3 <= sign_2;
		fine <= by_1;
		exponent_3 <= exponent_2 - {5'b0, n[2:0]};
		y <= fine[31] ? {sign_3, rounded} : 32'd0;
	end
endmodule

/* inverse = 127 / most, rounded to nearest even, 0 up to 2^-100: skip_inverse_m1 of fpga.cl. `most` stays as it is from `start` on; ready 30 cycles later. */
module skip_inverse (
	input logic clk, start,
	input logic [30:0] most,
	output logic [31:0] inverse
);
	logic [24:0] rest, less;
	logic [25:0] quotient;
	logic [4:0] left;
	logic more;
	logic [30:0] truncated, nearest;
	logic up;
	always_comb begin
		less = rest - {2'b01, most[22:0]};
		nearest = truncated + {30'b0, up};
	end
	always_ff @(posedge clk) begin
		if (start) begin
			rest <= 25'h0fe0000;
			quotient <= 0;
			left <= 26;
		end else if (left != 0) begin
			quotient <= {quotient[24:0], !less[24]};
			rest <= less[24] ? rest << 1 : less << 1;
			left <= left - 1;
		end
		/* 127 is 2^6 of what is divided here; a quotient below 1 has its leading one a place lower. */
		more <= rest != 0;
		up <= quotient[25] ? quotient[1] & (quotient[0] | more | quotient[2]) : quotient[0] & (more | quotient[1]);
		truncated <= {8'(9'd259 + {8'b0, quotient[25]} - {1'b0, most[30:23]}), quotient[25] ? quotient[24:2] : quotient[23:1]};
		inverse <= most <= 31'h0d800000 ? 32'd0 : {1'b0, nearest};
	end
endmodule
