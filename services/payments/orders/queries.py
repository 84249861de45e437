from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.orders.tables import PaidOrder


async def is_recorded(session: AsyncSession, polar_order_id: str) -> bool:
    return await session.scalar(select(PaidOrder.id).where(PaidOrder.polar_order_id == polar_order_id)) is not None
